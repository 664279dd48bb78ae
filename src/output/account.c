/* SPDX-License-Identifier: MIT */
#include "pycfs/account.h"

#include "pycfs/io.h"
#include "pycfs/path.h"

#define CHUNK (64u << 10) /* bytes read at a time */

int px_account_add(struct px_account *a, const struct px_account_file *file)
{
	const size_t n = strlen(file->path) + 1, k = strlen(file->source) + 1;
	struct px_account_file *all = a->all;
	char *text;

	if (a->n == a->capacity) {
		const size_t capacity = a->capacity ? a->capacity * 2 : 256;

		all = reallocarray(all, capacity, sizeof(*all));
		if (!all)
			return -ENOMEM;
		a->all = all;
		a->capacity = capacity;
	}
	text = malloc(n + k);
	if (!text)
		return -ENOMEM;
	memcpy(text, file->path, n);
	memcpy(text + n, file->source, k);
	all[a->n] = *file;
	all[a->n].path = text;
	all[a->n++].source = text + n;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct px_account_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void px_account_sort(struct px_account *a)
{
	if (a->n > 1)
		qsort(a->all, a->n, sizeof(*a->all), compare);
}

void px_account_fini(struct px_account *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->all[i].path);
	free(a->all);
	*a = (struct px_account){0};
}

int px_account_digest(int fd, uint8_t ret[PX_SHA256_SIZE])
{
	PX_AUTOFREE uint8_t *chunk = malloc(CHUNK);
	struct px_sha256 s;
	ssize_t n;

	if (!chunk)
		return -ENOMEM;
	px_sha256_init(&s);
	do {
		n = px_read_full(fd, chunk, CHUNK);
		if (n < 0)
			return (int)n;
		px_sha256_update(&s, chunk, (size_t)n);
	} while (n == CHUNK);
	px_sha256_final(&s, ret);
	return 0;
}

/* ---------------------------------------------------------- a directory */

struct reading {
	struct px_account *to;
	struct px_tree *tree;
	bool (*tick)(void *arg);
	void *arg;
	struct px_why *why;
};

static int fail(const struct reading *r, int err, const char *path)
{
	if (err == -ECANCELED)
		return px_because(r->why, err, "interrupted");
	return px_because(r->why, err, "%s%s%s: %s", px_tree_root(r->tree),
			  *path ? "/" : "", path,
			  err == -EINVAL ? "is no regular file, link or "
					   "directory"
					 : strerror(-err));
}

static int digest_link(const struct reading *r, const char *path,
		       uint8_t ret[PX_SHA256_SIZE])
{
	PX_AUTOFREE char *target = NULL;
	struct px_sha256 s;
	int err = px_tree_readlink(r->tree, path, &target);

	if (err < 0)
		return err;
	px_sha256_init(&s);
	px_sha256_update(&s, target, strlen(target));
	px_sha256_final(&s, ret);
	return 0;
}

static int add_one(const struct reading *r, char *path, enum px_type type)
{
	struct px_account_file file = {
		.path = path, .source = "", .is_link = type == PX_TYPE_LNK};
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	int err;

	if (!r->tick(r->arg))
		return -ECANCELED;
	if (type == PX_TYPE_LNK) {
		err = digest_link(r, path, file.sha256);
	} else if (type == PX_TYPE_REG) {
		err = px_tree_open_known(r->tree, path, &fd, &st);
		if (err == 0)
			err = px_account_digest(fd, file.sha256);
	} else {
		err = -EINVAL;
	}
	return err < 0 ? err : px_account_add(r->to, &file);
}

static int add_all(const struct reading *r, const char *dir)
{
	struct px_listing l;
	int err = px_tree_list(r->tree, dir, PX_LIST_NAMES, &l);

	if (err < 0)
		return fail(r, err, dir);
	for (size_t i = 0; i < l.n && err == 0; i++) {
		PX_AUTOFREE char *path = px_path_join(dir, l.names[i].name);

		if (!path)
			err = fail(r, -ENOMEM, dir);
		else if (l.names[i].type == PX_TYPE_DIR)
			err = add_all(r, path);
		else if ((err = add_one(r, path, l.names[i].type)) < 0)
			fail(r, err, path);
	}
	px_listing_fini(&l);
	return err;
}

int px_account_read(struct px_account *a, struct px_tree *tree,
		    bool (*tick)(void *arg), void *arg, struct px_why *why)
{
	const struct reading r = {a, tree, tick, arg, why};

	return add_all(&r, "");
}
