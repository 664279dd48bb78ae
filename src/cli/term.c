/* SPDX-License-Identifier: MIT */
#include "pycfs/term.h"

#include "pycfs/log.h"

#include <stdio.h>
#include <sys/ioctl.h>

int px_fail(int status, const struct px_why *why)
{
	px_log(PX_LOG_ERROR, "%s", why->text);
	return status;
}

const char *px_human(uint64_t bytes, char buf[16])
{
	static const char units[] = "kMGTPE";
	double v = (double)bytes;
	int unit = -1;

	while (v >= 999.5 && unit < 5) {
		v /= 1000;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, 16, "%d B", (int)v);
	else
		snprintf(buf, 16, v < 9.95 ? "%.1f %cB" : "%.0f %cB", v,
			 units[unit]);
	return buf;
}

void px_print_clean(const char *s)
{
	PX_AUTOFREE char *shown = px_clean(s);

	fputs(shown ? shown : "?", stdout);
}

int px_terminal_width(void)
{
	const char *columns_env = getenv("COLUMNS");
	struct winsize w;
	long columns;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	columns = columns_env ? strtol(columns_env, NULL, 10) : 0;
	return columns > 0 && columns < 10000 ? (int)columns : 80;
}
