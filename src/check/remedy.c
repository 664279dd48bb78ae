/* SPDX-License-Identifier: MIT */
#include "pycfs/check.h"
#include "pycfs/rules.h"

#include <stdio.h>

#define MAX_FILES 3 /* frames whose files are tried each for itself */

struct list {
	char **all;
	size_t n;
};

/* Adds a rule, unless it is there already or there are enough. `path` is in
 * SOURCE; `end` is put behind it as it is. */
static int add(struct list *l, const char *verb, const char *path, size_t n,
	       const char *end)
{
	PX_AUTO(px_buf_fini) struct px_buf b = {.max = SIZE_MAX};
	int r = px_buf_add(&b, verb, strlen(verb));
	size_t i;

	if (n == 0 || memchr(path, '\n', n))
		return 0;
	if (r == 0)
		r = px_buf_add(&b, " /", 2);
	if (r == 0)
		r = px_rules_put_path(&b, path, n);
	if (r == 0)
		r = px_buf_add(&b, end, strlen(end) + 1);
	if (r < 0)
		return r;
	for (i = 0; i < l->n; i++)
		if (strcmp(l->all[i], (char *)b.data) == 0)
			return 0;
	if (l->n < PX_MAX_REMEDIES)
		l->all[l->n++] = (char *)PX_STEAL(b.data);
	return 0;
}

static const char *const verbs[] = {"optimize 1", "keep-source", "optimize 0"};

/* Each way for each of the first files of the list, and then for the packages
 * that they are in. */
static int add_files(struct list *l, const char *files)
{
	const char *file;
	size_t i, k, n;
	int r = 0;

	for (i = 0; i < PX_ARRAY_LEN(verbs); i++)
		for (file = files, k = 0; *file && k < MAX_FILES && r == 0;
		     k++, file += n, file += *file == '\n') {
			n = strcspn(file, "\n");
			r = add(l, verbs[i], file, n, "");
		}
	for (i = 0; i < PX_ARRAY_LEN(verbs); i++)
		for (file = files; *file && r == 0;
		     file += n, file += *file == '\n') {
			n = strcspn(file, "\n");
			k = strcspn(file, "/");
			if (k < n)
				r = add(l, verbs[i], file, k, "/**");
		}
	return r;
}

/* What stands between the next two quotes from *at on, which is moved behind
 * them; the caller frees it. NULL: nothing, or no memory. */
static char *quoted(const char **at)
{
	const char *from = *at ? strchr(*at, '\'') : NULL;
	const char *to = from ? strchr(from + 1, '\'') : NULL;

	*at = to ? to + 1 : NULL;
	return to ? strndup(from + 1, (size_t)(to - from - 1)) : NULL;
}

/* What a message names that a rule may hide: "No module named 'a.b'", "cannot
 * import name 'b' from 'a'", or the path of a file. */
static int add_hidden(struct list *l, const struct px_finding *f)
{
	const char *at = f->text;
	PX_AUTOFREE char *path = quoted(&at);
	PX_AUTOFREE char *package = quoted(&at);
	char *p;
	int r;

	if (!path)
		return 0;
	if (package && strncmp(f->text, "cannot import name", 18) == 0) {
		char *both;

		if (asprintf(&both, "%s.%s", package, path) < 0)
			return -ENOMEM;
		free(path);
		path = both;
	}
	if (strcmp(f->type, "FileNotFoundError") == 0)
		return *path == '/' ? 0
				    : add(l, "include", path, strlen(path), "");
	if (strcmp(f->type, "ModuleNotFoundError") != 0 &&
	    strcmp(f->type, "ImportError") != 0)
		return 0;
	for (p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	r = add(l, "include", path, strlen(path), ".py");
	return r < 0 ? r : add(l, "include", path, strlen(path), "/");
}

/* The files of a module "a.b", and of all that is below its first part. */
static int add_module(struct list *l, const char *name, size_t n)
{
	PX_AUTOFREE char *path = strndup(name, n);
	size_t i;
	char *p;
	int r = 0;

	for (p = path; p && *p; p++)
		if (*p == '.')
			*p = '/';
	for (i = 0; path && i < PX_ARRAY_LEN(verbs) && r == 0; i++) {
		r = add(l, verbs[i], path, strlen(path), ".py");
		if (r == 0)
			r = add(l, verbs[i], path, strlen(path),
				"/__init__.py");
	}
	for (i = 0; path && i < PX_ARRAY_LEN(verbs) && r == 0; i++)
		r = add(l, verbs[i], path, strcspn(path, "/"), "/**");
	return path ? r : -ENOMEM;
}

/* The module of the first fact that only the source has: "a.b.NAME: type". */
static int add_fact(struct list *l, const struct px_finding *f)
{
	const char *line = f->text;

	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const size_t end = strcspn(line, ":\n");
		size_t n = end;

		if (line[end] != ':' || *line == '+')
			continue;
		while (n > 1 && line[n] != '.')
			n--;
		return n > 1 ? add_module(l, line + 1, n - 1) : 0;
	}
	return 0;
}

int px_check_remedies(const struct px_finding *f, char ***ret, size_t *ret_n)
{
	struct list l = {calloc(PX_MAX_REMEDIES, sizeof(char *)), 0};
	int r = l.all ? 0 : -ENOMEM;

	if (r == 0 && f->kind == PX_FINDING_FAILS)
		r = add_hidden(&l, f);
	if (r == 0 && f->kind == PX_FINDING_FAILS)
		r = add_files(&l, f->frames);
	if (r == 0 && f->kind == PX_FINDING_DIFFERS)
		r = add_fact(&l, f);
	if (r == 0 && !f->is_entry_point)
		r = add_module(&l, f->owner, strlen(f->owner));
	*ret = l.all;
	*ret_n = l.n;
	return r;
}
