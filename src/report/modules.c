/* SPDX-License-Identifier: MIT */
#include "modules.h"

#include "pycfs/digest.h"
#include "pycfs/mark.h"
#include "pycfs/path.h"
#include "pycfs/rules.h"

static uint64_t hash_of(const char *name, size_t n)
{
	return px_hash64(0, name, n);
}

/* The name by which the file is imported, in a new string; "": by none. NULL:
 * out of memory. */
static char *name_of(const char *path)
{
	const char *file = px_path_name(path);
	size_t n = (size_t)(file - path);
	char *name;

	if (!px_mark_is_module(file) || strstr(path, "__pycache__/"))
		return strdup("");
	if (strncmp(file, "__init__.", 9) != 0)
		n += strcspn(file, ".");
	else if (n > 0)
		n--;
	name = strndup(path, n);
	for (char *p = name; p && *p; p++) {
		/* No package has such a directory. */
		if (*p == '.' || *p == '-') {
			*name = '\0';
			break;
		}
		*p = *p == '/' ? '.' : *p;
	}
	return name;
}

int px_modules_add_shipped(struct px_modules *m, const char *path)
{
	PX_AUTOFREE char *name = name_of(path);

	if (!name)
		return -ENOMEM;
	if (!*name)
		return 0;
	px_set_add(&m->shipped, hash_of(name, strlen(name)));
	px_set_add(&m->shipped, ~hash_of(name, strcspn(name, ".")));
	return 0;
}

static void free_hidden(struct px_hidden_module *h)
{
	free(h->name);
	free(h->rule);
	free(h);
}

/* The rule that ships `top` after all, "" if that is NULL. NULL: out of
 * memory. */
static char *include_rule(const char *top, bool is_dir)
{
	static const char verb[] = "include /";
	PX_AUTO(px_buf_fini) struct px_buf b = {.max = SIZE_MAX};

	if (!top)
		return strdup("");
	if (px_buf_add(&b, verb, strlen(verb)) < 0 ||
	    px_rules_put_path(&b, top, strlen(top)) < 0 ||
	    px_buf_add(&b, is_dir ? "/" : "", is_dir ? 2 : 1) < 0)
		return NULL;
	return (char *)PX_STEAL(b.data);
}

int px_modules_add_hidden(struct px_modules *m, const char *path,
			  const char *top, bool top_is_dir)
{
	PX_AUTOFREE char *name = name_of(path);
	struct px_hidden_module *h;

	if (!name)
		return -ENOMEM;
	if (!*name)
		return 0;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->rule = include_rule(top, top_is_dir);
	h->name = PX_STEAL(name);
	if (!h->rule || px_map_add(&m->hidden, &h->node,
				   hash_of(h->name, strlen(h->name))) < 0) {
		free_hidden(h);
		return -ENOMEM;
	}
	return 0;
}

const struct px_hidden_module *px_modules_find_hidden(
	const struct px_modules *m, const char *name, size_t n)
{
	const uint64_t hash = hash_of(name, n);
	struct px_map_node *node;

	if (px_set_has(&m->shipped, hash))
		return NULL;
	for (node = px_map_first(&m->hidden, hash); node;
	     node = px_map_next(node)) {
		const struct px_hidden_module *h =
			PX_CONTAINER(node, struct px_hidden_module, node);

		if (strlen(h->name) == n && memcmp(h->name, name, n) == 0)
			return h;
	}
	return NULL;
}

bool px_modules_is_apart(const struct px_modules *m, const char *name)
{
	return !px_set_has(&m->shipped, ~hash_of(name, strcspn(name, ".")));
}

void px_modules_fini(struct px_modules *m)
{
	struct px_map_node *node = px_map_each(&m->hidden, NULL);

	while (node) {
		struct px_map_node *next = px_map_each(&m->hidden, node);

		free_hidden(PX_CONTAINER(node, struct px_hidden_module, node));
		node = next;
	}
	px_map_fini(&m->hidden);
	px_set_fini(&m->shipped);
}
