/* SPDX-License-Identifier: MIT */
#include "strays.h"

#include "pycfs/json.h"
#include "pycfs/log.h"
#include "pycfs/mark.h"

#define MAX_LISTED 20 /* of each kind, in the text of a report */

static void print_kind(struct px_strays *s, enum px_stray_kind kind, FILE *to)
{
	const size_t count = px_strays_count(s, kind);
	const struct px_stray *all;
	size_t i, n, listed = 0;

	if (count == 0)
		return;
	all = px_strays_all(s, &n);
	fprintf(to, "\n%zu %s (%s)\n", count, px_stray_what(kind, count),
		px_stray_remedy(kind));
	for (i = 0; i < n && listed < MAX_LISTED; i++) {
		PX_AUTOFREE char *path = px_clean(all[i].path);
		PX_AUTOFREE char *text = px_clean(all[i].text);

		if (all[i].kind != kind)
			continue;
		fprintf(to, "  %s%s%.200s\n", path ? path : "?",
			text && *text ? ": " : "", text ? text : "");
		listed++;
	}
	if (listed < count)
		fprintf(to, "  ... and %zu more\n", count - listed);
}

void px_strays_print(struct px_strays *s, FILE *to)
{
	enum px_stray_kind kind;

	for (kind = 0; kind < PX_N_STRAYS; kind++)
		print_kind(s, kind, to);
}

void px_strays_print_json(struct px_strays *s, FILE *to)
{
	const struct px_stray *all;
	const char *comma = "";
	size_t i, n;

	all = px_strays_all(s, &n);
	fputs(",\n\"lost\": [", to);
	for (i = 0; i < n && all[i].kind == PX_STRAY_LOST; i++) {
		fputs(i ? ",\n {\"path\": " : "\n {\"path\": ", to);
		px_json_string(to, all[i].path);
		fputs(", \"why\": ", to);
		px_json_string(to, all[i].text);
		putc('}', to);
	}
	fputs("],\n\"strays\": [", to);
	for (; i < n; i++, comma = ",") {
		fprintf(to, "%s\n {\"kind\": \"%s\", \"path\": ", comma,
			px_stray_name(all[i].kind));
		px_json_string(to, all[i].path);
		fputs(", \"text\": ", to);
		px_json_string(to, all[i].text);
		putc('}', to);
	}
	putc(']', to);
}

/* Whether a name in or below `dir` would be a module. */
static bool has_modules(struct px_tree *t, const char *dir)
{
	struct px_listing l;
	bool found = false;
	size_t i;

	if (px_tree_list(t, dir, PX_LIST_KINDS, &l) < 0)
		return false;
	for (i = 0; i < l.n && !found; i++) {
		const struct px_name *e = &l.names[i];
		PX_AUTOFREE char *below = NULL;

		if (e->type != PX_TYPE_DIR) {
			found = px_mark_is_module(e->name);
			continue;
		}
		below = px_path_join(dir, e->name);
		found = strcmp(e->name, "__pycache__") != 0 && below &&
			has_modules(t, below);
	}
	px_listing_fini(&l);
	return found;
}

int px_strays_check(struct px_engine *e, const struct px_opt *o,
		    const char *about, uint64_t n_modules, struct px_why *why)
{
	const size_t n_lost =
		px_strays_count(px_content_strays(e->content), PX_STRAY_LOST);
	struct px_why none;

	if (n_lost > 0 && !o->may_lose)
		return px_because(why, -ENOLINK, "%s: %zu %s", about, n_lost,
				  px_stray_what(PX_STRAY_LOST, n_lost));
	if (n_modules > 0 || !has_modules(e->tree, ""))
		return 0;
	px_because(&none, 0,
		   "%s: there are modules in SOURCE, and none of them is "
		   "shipped (--on-lost warn lets that pass)",
		   about);
	if (!o->may_lose) {
		*why = none;
		return -ENOLINK;
	}
	px_log(PX_LOG_WARNING, "%s", none.text);
	return 0;
}
