/* SPDX-License-Identifier: MIT */
#include "cmd_report_i.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* src/report/, made into C by tools/embed. */
extern const unsigned char px_report_page_head[];
extern const size_t px_report_page_head_size;
extern const unsigned char px_report_page_tail[];
extern const size_t px_report_page_tail_size;

static void print_page(const struct px_shown *s, FILE *to)
{
	fwrite(px_report_page_head, 1, px_report_page_head_size, to);
	/* No string in there has a <, which could end the element. */
	fputs("<script id=\"data\" type=\"application/json\">\n", to);
	px_report_print_json(s, to);
	fputs("</script>\n", to);
	fwrite(px_report_page_tail, 1, px_report_page_tail_size, to);
}

/* The mode that open(2) would have given. */
static mode_t default_mode(void)
{
	const mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

int px_report_write_html(const struct px_shown *s, struct px_why *why)
{
	const char *path = s->o->html;
	PX_AUTOFREE char *temp = NULL;
	FILE *to = NULL;
	int fd, r = 0;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return px_because(why, -ENOMEM, "out of memory");
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return px_because(why, -errno, "%s: %s", path, strerror(errno));
	if (fchmod(fd, default_mode()) == 0)
		to = fdopen(fd, "w");
	if (!to) {
		r = -errno;
		close(fd);
	} else {
		print_page(s, to);
		if (ferror(to))
			r = -EIO;
		if (fclose(to) != 0 && r == 0)
			r = -errno;
	}
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temp);
		return px_because(why, r, "%s: %s", path, strerror(-r));
	}
	return 0;
}
