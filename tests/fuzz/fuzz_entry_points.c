/* SPDX-License-Identifier: MIT */
/* Input: an entry_points.txt. What is let through is names and dots, of which a
 * line can be made that reads the same. */
#include "fuzz.h"
#include "view/entry_points.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>

static bool is_plain(const struct px_buf *b)
{
	const char *p = (const char *)b->data;

	for (; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_' && *p != '.' &&
		    (unsigned char)*p < 0x80)
			return false;
	return b->size > 1 && isalnum(p[-1]) + (p[-1] == '_') +
					      ((unsigned char)p[-1] >= 0x80) >
				      0;
}

static void check(const struct px_entry_point *p)
{
	const char *name = (const char *)p->name.data;
	PX_AUTO(px_entry_point_fini)
	struct px_entry_point again = {.name.size = 0};
	struct px_entry_points reader = {.at = 0};
	char *line;
	int n = asprintf(&line, "[console_scripts]\n%s=%s:%s\n", name,
			 (const char *)p->module.data,
			 (const char *)p->object.data);

	MUST(p->name.size > 1 && p->name.size <= NAME_MAX);
	MUST(!strchr(name, '/') && !strchr(name, '\r') && !strchr(name, '\n'));
	MUST(is_plain(&p->module) && is_plain(&p->object));
	MUST(n > 0);
	reader.data = line;
	reader.size = (size_t)n;
	if (*name != '#' && *name != ';' && *name != '[') {
		MUST(px_entry_points_next(&reader, &again) == 1);
		MUST(strcmp((const char *)again.name.data, name) == 0);
		MUST(px_entry_points_next(&reader, &again) == 0);
	}
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PX_AUTO(px_entry_point_fini) struct px_entry_point p = {.name.size = 0};
	uint8_t *copy = fuzz_copy(data, size);
	struct px_entry_points reader = {.data = (const char *)copy,
					 .size = size};
	size_t before = 0;
	int r;

	while ((r = px_entry_points_next(&reader, &p)) != 0) {
		MUST(r == 1 || r == -EBADMSG);
		MUST(reader.at > before && reader.at <= size + 1);
		before = reader.at;
		if (r == 1)
			check(&p);
	}
	free(copy);
	return 0;
}
