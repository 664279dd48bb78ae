/* SPDX-License-Identifier: MIT */
#include "pycfs/scripts.h"
#include "entry_points.h"
#include "script_text.h"

#include "pycfs/mark.h"
#include "pycfs/text.h"
#include "pycfs/view.h"

#include <stdio.h>

/* In bytes. The largest entry_points.txt seen has 30 KB. */
#define TEXT_MAX (4u << 20)
/* Where in the tree a script is that lies outside of the view. No name in a
 * source begins so, as far as anybody knows, and listings do not have it. */
#define OUTSIDE "\001scripts"

struct px_scripts {
	struct px_script *all;
	size_t n;
	struct px_script_left *left;
	size_t n_left;
};

struct making {
	const struct px_scripts_options *o;
	struct px_scripts *ret;
	char *place; /* the directory in the tree */
	bool in_view;
	char *up;   /* from `dir` to `site`, as "../lib" */
	char *down; /* from `site` to `dir`, as "../bin" */
	char *dist_info;
	struct px_stat like; /* of the file that is read */
};

/* ---------------------------------------------------------------- paths */

/* The part of `dir` below `site`; NULL: it lies elsewhere. */
static const char *below(const char *site, const char *dir)
{
	const size_t n = strlen(site);

	if (n == 0)
		return dir;
	if (strncmp(dir, site, n) != 0)
		return NULL;
	return dir[n] == '/' ? dir + n + 1 : dir[n] == '\0' ? "" : NULL;
}

/* -------------------------------------------------------------- modules */

/* The view of directory `path`; NULL: it cannot be listed, or no memory. */
static struct px_view *view_of(const struct making *m, const char *path,
			       const struct px_rules *rules)
{
	const struct px_view_options o = {rules, m->o->cache_tag};
	struct px_view *v = NULL;
	struct px_listing l;

	if (px_tree_list(m->o->tree, path, PX_LIST_KINDS, &l) < 0)
		return NULL;
	if (px_view_new(&l, path, &o, &v) < 0)
		v = NULL;
	px_listing_fini(&l);
	return v;
}

/* The module `name` (n bytes) that `v` has as a file of its own, or NULL. */
static const struct px_entry *find_file(const struct px_view *v,
					const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < px_view_count(v); i++) {
		const struct px_entry *e = px_view_at(v, i);

		if (!px_kind_is_dir(e->kind) &&
		    strncmp(e->name, name, n) == 0 && e->name[n] == '.' &&
		    px_mark_is_module(e->name))
			return e;
	}
	return NULL;
}

/* Whether directory `path` has a module __init__ that is shipped. */
static bool has_init(const struct making *m, const char *path,
		     const struct px_rules *rules)
{
	static const char init[] = "__init__";
	struct px_view *v = view_of(m, path, rules);
	const bool has = v && find_file(v, init, strlen(init));

	px_view_unref(v);
	return has;
}

/*
 * Whether the module, such as "a.b.c", is shipped, if these were the rules.
 * *ret_top, if it is not NULL, is then the name in SOURCE by which the first
 * part of it can be told to be there; the caller frees it.
 */
static bool is_shipped(const struct making *m, const char *module,
		       const struct px_rules *rules, char **ret_top)
{
	PX_AUTOFREE char *path = strdup(module);
	char *name = path;
	bool found = false;

	while (path && name) {
		const size_t n = strcspn(name, ".");
		const bool last = name[n] == '\0';
		const struct px_entry *e;
		struct px_view *v;

		name[n] = '\0';
		if (name > path)
			name[-1] = '\0';
		v = view_of(m, name > path ? path : "", rules);
		if (!v)
			return false;
		if (name > path)
			name[-1] = '/';
		e = px_view_find(v, name);
		if (e && e->kind != PX_KIND_DIR && e->kind != PX_KIND_LINK)
			e = NULL;
		found = last && e && has_init(m, path, rules);
		if (last && !found) {
			e = find_file(v, name, n);
			found = e;
		}
		if (found && name == path && ret_top)
			*ret_top = strdup(e->name);
		px_view_unref(v);
		if (last || !e)
			break;
		name += n + 1;
	}
	if (found && ret_top && !*ret_top && path)
		*ret_top = strndup(path, strcspn(path, "/"));
	return found;
}

/* -------------------------------------------------------------- scripts */

/* Remembers why a script is not made: a sentence that `what` ends. */
static int leave(struct making *m, const char *name, const char *why,
		 const char *what)
{
	struct px_scripts *s = m->ret;
	struct px_script_left *left;

	left = reallocarray(s->left, s->n_left + 1, sizeof(*left));
	if (!left)
		return -ENOMEM;
	s->left = left;
	left += s->n_left;
	left->name = px_clean(name);
	if (!left->name)
		return -ENOMEM;
	if (asprintf(&left->why, "%s%s", why, what) < 0) {
		free(left->name);
		return -ENOMEM;
	}
	s->n_left++;
	return 0;
}

static bool is_taken(const struct making *m, const char *name)
{
	for (size_t i = 0; i < m->ret->n; i++)
		if (strcmp(m->ret->all[i].name, name) == 0)
			return true;
	return false;
}

/* Whether rules would show a file of this path otherwise than as it is. */
static const char *rule_against(const struct making *m, const char *path)
{
	const struct px_rules *rules = m->o->rules;

	if (!m->in_view)
		return NULL;
	if (px_rules_excluded(rules, path, false))
		return "a rule excludes it";
	if (px_ends_in(path, ".pyo") || px_ends_in(path, ".pyc") ||
	    (px_ends_in(path, ".py") &&
	     (px_rules_optimize(rules, path, UINT_MAX) != UINT_MAX ||
	      px_rules_keep_source(rules, path))))
		return "it is called like a module";
	return NULL;
}

static void script_fini(struct px_script *s)
{
	free(s->name);
	free(s->path);
	free(s->source);
	free(s->dist_info);
	free(s->row);
	free(s->rest);
}

/* Adds the script `name`, whose text that is. */
static int add(struct making *m, const char *name, const struct px_buf *text)
{
	struct px_scripts *s = m->ret;
	struct px_script *all =
		reallocarray(s->all, s->n + 1, sizeof(struct px_script));
	struct px_script *new;

	if (!all)
		return -ENOMEM;
	s->all = all;
	new = &all[s->n];
	*new = (struct px_script){
		.name = strdup(name),
		.path = px_path_join(m->o->dir, name),
		.source = px_path_join(m->place, name),
		.dist_info = strdup(m->dist_info),
		.row = strcmp(m->down, ".") == 0 ? strdup(name)
						 : px_path_join(m->down, name),
		.rest = px_script_record(text),
		.in_view = m->in_view,
	};
	if (!new->name || !new->path || !new->source || !new->dist_info ||
	    !new->row || !new->rest) {
		script_fini(new);
		return -ENOMEM;
	}
	s->n++;
	return px_tree_put(m->o->tree, new->source, text->data, text->size,
			   &m->like, m->in_view);
}

static int make_one(struct making *m, const struct px_entry_point *p)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = TEXT_MAX};
	const char *name = (const char *)p->name.data;
	const char *module = (const char *)p->module.data;
	PX_AUTOFREE char *path = px_path_join(m->place, name);
	PX_AUTOFREE char *top = NULL;
	const char *against;
	int r;

	if (!path)
		return -ENOMEM;
	if (is_taken(m, name))
		return leave(m, name,
			     "another distribution has one of its name", "");
	against = rule_against(m, path);
	if (against)
		return leave(m, name, against, "");
	if (!is_shipped(m, module, m->o->rules, &top))
		return leave(m, name,
			     is_shipped(m, module, NULL, NULL)
				     ? "a rule hides its module "
				     : "SOURCE has no module ",
			     module);
	if (!top)
		return -ENOMEM;
	r = px_script_write(
		&(struct px_script_text){
			.python = m->o->python,
			.module = module,
			.object = (const char *)p->object.data,
			.site = m->up,
			.top = top,
		},
		&text);
	return r < 0 ? r : add(m, name, &text);
}

/* -------------------------------------------------------- distributions */

/* Makes those of one distribution. */
static int make_those(struct making *m, const char *path)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = TEXT_MAX};
	PX_AUTO(px_entry_point_fini) struct px_entry_point p = {.name.size = 0};
	struct px_entry_points reader;
	int r = px_tree_read(m->o->tree, path, &text, &m->like);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	m->like.mode = 0755;
	reader = (struct px_entry_points){.data = (const char *)text.data,
					  .size = text.size};
	while ((r = px_entry_points_next(&reader, &p)) != 0) {
		if (r == -EBADMSG)
			r = leave(m, (const char *)p.name.data,
				  "it cannot be read in ", path);
		else if (r > 0)
			r = make_one(m, &p);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_all(struct making *m)
{
	struct px_listing l;
	size_t i;
	int r = px_tree_list(m->o->tree, "", PX_LIST_KINDS, &l);

	if (r < 0)
		return r;
	for (i = 0; i < l.n && r == 0; i++) {
		PX_AUTOFREE char *path = NULL;

		if (!px_ends_in(l.names[i].name, ".dist-info") &&
		    !px_ends_in(l.names[i].name, ".egg-info"))
			continue;
		free(m->dist_info);
		m->dist_info = strdup(l.names[i].name);
		path = px_path_join(l.names[i].name, "entry_points.txt");
		r = m->dist_info && path ? make_those(m, path) : -ENOMEM;
	}
	px_listing_fini(&l);
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct px_script *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Whether a rule excludes the directory, or one that it is in. */
static bool is_excluded(const struct making *m)
{
	PX_AUTOFREE char *path = strdup(m->place);
	bool excluded = !path;
	char *p = path;

	while (p && !excluded && (p = strchr(p, '/'))) {
		*p = '\0';
		excluded = px_rules_excluded(m->o->rules, path, true);
		*p++ = '/';
	}
	return excluded ||
	       (*path && px_rules_excluded(m->o->rules, path, true));
}

static void making_fini(struct making *m)
{
	px_scripts_free(m->ret);
	free(m->place);
	free(m->up);
	free(m->down);
	free(m->dist_info);
}

int px_scripts_make(const struct px_scripts_options *o, struct px_scripts **ret,
		    struct px_why *why)
{
	const char *inside = below(o->site, o->dir);
	PX_AUTO(making_fini)
	struct making m = {
		.o = o,
		.ret = calloc(1, sizeof(*m.ret)),
		.place = strdup(inside ? inside : OUTSIDE),
		.in_view = inside,
		.up = px_script_relative(o->dir, o->site),
		.down = px_script_relative(o->site, o->dir),
	};
	int r;

	if (!m.ret || !m.place || !m.up || !m.down)
		return px_because(why, -ENOMEM, "out of memory");
	if (m.in_view && is_excluded(&m))
		return px_because(
			why, -EINVAL,
			"--scripts %s: a rule excludes that "
			"directory: name another one, or --include it",
			o->dir);
	r = make_all(&m);
	if (r == -ENOTDIR || r == -ELOOP)
		return px_because(why, r,
				  "--scripts %s: SOURCE has something there "
				  "that is no directory: name another one",
				  o->dir);
	if (r < 0)
		return px_because(why, r, "--scripts %s: %s", o->dir,
				  strerror(-r));
	if (m.ret->n > 0)
		qsort(m.ret->all, m.ret->n, sizeof(*m.ret->all), compare);
	*ret = PX_STEAL(m.ret);
	return 0;
}

void px_scripts_free(struct px_scripts *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n; i++)
		script_fini(&s->all[i]);
	for (i = 0; i < s->n_left; i++) {
		free(s->left[i].name);
		free(s->left[i].why);
	}
	free(s->all);
	free(s->left);
	free(s);
}

size_t px_scripts_count(const struct px_scripts *s)
{
	return s ? s->n : 0;
}

const struct px_script *px_scripts_at(const struct px_scripts *s, size_t i)
{
	return &s->all[i];
}

size_t px_scripts_n_left(const struct px_scripts *s)
{
	return s ? s->n_left : 0;
}

const struct px_script_left *px_scripts_left(const struct px_scripts *s,
					     size_t i)
{
	return &s->left[i];
}

int px_scripts_check_python(const char *python)
{
	const size_t n = strcspn(python, " ");

	if (*python != '/' || strlen(python) > 125 || strchr(python, '\n') ||
	    python[n] != '\0')
		return -EINVAL;
	return 0;
}
