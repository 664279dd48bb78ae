/* SPDX-License-Identifier: MIT */
#include "report_shown.h"
#include "written.h"

/* The page of src/report/, which tools/embed turns into C, in two halves:
 * before and after its data. */
extern const unsigned char px_report_page_head[];
extern const size_t px_report_page_head_size;
extern const unsigned char px_report_page_tail[];
extern const size_t px_report_page_tail_size;

static void print_page(const void *arg, FILE *to)
{
	const struct px_shown *s = arg;

	fwrite(px_report_page_head, 1, px_report_page_head_size, to);
	/* px_json_string escapes each "<", so that no string in the JSON can
	 * end the script element. */
	fputs("<script id=\"data\" type=\"application/json\">\n", to);
	px_report_print_json(s, to);
	fputs("</script>\n", to);
	fwrite(px_report_page_tail, 1, px_report_page_tail_size, to);
}

int px_report_write_html(const struct px_shown *s, struct px_why *why)
{
	struct px_temp t;
	int r = px_written_make(&t, s->o->html, print_page, s, why);

	if (r == 0)
		r = px_temp_commit(&t, why);
	px_temp_fini(&t);
	return r;
}
