/* SPDX-License-Identifier: MIT */
#include "report_shown.h"

#include "pycfs/temp.h"

#include <fcntl.h>
#include <stdio.h>

/* The page of src/report/, which tools/embed turns into C, in two halves:
 * before and after its data. */
extern const unsigned char px_report_page_head[];
extern const size_t px_report_page_head_size;
extern const unsigned char px_report_page_tail[];
extern const size_t px_report_page_tail_size;

static void print_page(const struct px_shown *s, FILE *to)
{
	fwrite(px_report_page_head, 1, px_report_page_head_size, to);
	/* px_json_string escapes each "<", so that no string in the JSON can
	 * end the script element. */
	fputs("<script id=\"data\" type=\"application/json\">\n", to);
	px_report_print_json(s, to);
	fputs("</script>\n", to);
	fwrite(px_report_page_tail, 1, px_report_page_tail_size, to);
}

/* Writes the page to `fd`, which stays open. 0 or -errno. */
static int write_page(const struct px_shown *s, int fd)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	bool bad;

	if (!to) {
		const int err = errno;

		if (copy >= 0)
			close(copy);
		return -err;
	}
	errno = 0;
	print_page(s, to);
	bad = ferror(to);
	if (fclose(to) != 0 || bad)
		return errno ? -errno : -EIO;
	return 0;
}

int px_report_write_html(const struct px_shown *s, struct px_why *why)
{
	struct px_temp t;
	int r = px_temp_make(&t, s->o->html, false, false, why);

	if (r == 0) {
		r = write_page(s, t.lock);
		if (r < 0)
			px_because(why, r, "%s: %s", s->o->html, strerror(-r));
	}
	if (r == 0)
		r = px_temp_commit(&t, why);
	px_temp_fini(&t);
	return r;
}
