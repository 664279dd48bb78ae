/* SPDX-License-Identifier: MIT */
#include "scripts.h"

#include "pycfs/json.h"
#include "pycfs/log.h"

#define MAX_TOLD 3 /* how many scripts a line of the log names */

/* Logs one line that names the first few of `n`. */
static void tell_left(const struct px_scripts *s)
{
	const size_t n = px_scripts_n_left(s);
	char text[400];
	size_t i, used = 0;

	for (i = 0; i < n && i < MAX_TOLD && used < sizeof(text); i++) {
		const struct px_script_left *left = px_scripts_left(s, i);

		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s%.40s (%.80s)", i ? ", " : "",
					 left->name, left->why);
	}
	px_log(PX_LOG_WARNING, "%zu script%s not made: %s%s", n,
	       n == 1 ? " is" : "s are", text, n > MAX_TOLD ? ", ..." : "");
}

static void tell(const struct px_scripts *s, const char *dir)
{
	const size_t n = px_scripts_count(s);

	if (n > 0)
		px_log(PX_LOG_INFO, "%zu script%s in %s", n, n == 1 ? "" : "s",
		       dir);
	else
		px_log(PX_LOG_WARNING,
		       "--scripts %s: there are none: no distribution in "
		       "SOURCE has an entry point that can be run",
		       dir);
	if (px_scripts_n_left(s) > 0)
		tell_left(s);
}

int px_scripts_begin(const struct px_opt *o, struct px_tree *tree,
		     const struct px_python *python, const char *cache_tag,
		     struct px_scripts **ret, struct px_why *why)
{
	char usual[64];
	const struct px_scripts_options options = {
		.tree = tree,
		.rules = o->rules,
		.cache_tag = cache_tag,
		.dir = o->scripts,
		.site = o->prefix_dir,
		.python = o->scripts_python ? o->scripts_python : usual,
	};
	int r;

	if (!o->scripts)
		return 0;
	snprintf(usual, sizeof(usual), "/usr/bin/env python%u.%u%s",
		 python->hexversion >> 24, python->hexversion >> 16 & 255,
		 python->free_threaded ? "t" : "");
	r = px_scripts_make(&options, ret, why);
	if (r == 0)
		tell(*ret, o->scripts);
	return r;
}

void px_scripts_print_json(const struct px_scripts *s, FILE *to)
{
	size_t i;

	if (!s)
		return;
	fputs(",\n\"scripts\": [", to);
	for (i = 0; i < px_scripts_count(s); i++) {
		fputs(i ? ", " : "", to);
		px_json_string(to, px_scripts_at(s, i)->path);
	}
	fputs("],\n\"scripts_left\": [", to);
	for (i = 0; i < px_scripts_n_left(s); i++) {
		fputs(i ? ",\n {\"name\": " : "\n {\"name\": ", to);
		px_json_string(to, px_scripts_left(s, i)->name);
		fputs(", \"why\": ", to);
		px_json_string(to, px_scripts_left(s, i)->why);
		putc('}', to);
	}
	putc(']', to);
}
