/* SPDX-License-Identifier: MIT */
/*
 * Determines the distribution that each file belongs to. It is the one whose
 * RECORD lists the file's source; else the one to which most files of the same
 * top-level name belong; else the only one whose top_level.txt has that name,
 * or that is called so; else a pseudo-distribution that has that top-level
 * name.
 */
#include "report_i.h"

#include "pycfs/record.h"

#include <limits.h>
#include <stdio.h>

/* bytes; the same limit as in content/record.c */
#define RECORD_MAX (64u << 20)
#define TOPS_MAX   (64u << 10) /* bytes of a top_level.txt */
#define NONE	   SIZE_MAX

/* Maps a path in SOURCE to the index of the distribution that claims it. */
struct claim {
	char *path;
	size_t dist;
};

struct claims {
	struct claim *all;
	size_t n, capacity;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int add_claim(struct claims *c, const char *path, size_t dist)
{
	struct claim *all;
	char *copy;

	if (c->n == c->capacity) {
		const size_t capacity = c->capacity ? c->capacity * 2 : 1024;

		all = reallocarray(c->all, capacity, sizeof(*all));
		if (!all)
			return -ENOMEM;
		c->all = all;
		c->capacity = capacity;
	}
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	c->all[c->n++] = (struct claim){copy, dist};
	return 0;
}

static void claims_fini(struct claims *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		free(c->all[i].path);
	free(c->all);
}

static size_t claimed_by(const struct claims *c, const char *path)
{
	const struct claim key = {(char *)(uintptr_t)path, 0};
	const struct claim *found =
		c->n ? bsearch(&key, c->all, c->n, sizeof(key), compare_claims)
		     : NULL;

	return found ? found->dist : NONE;
}

/* Names that can be imported are compared in lower case, and with underscores.
 */
static char fold(char c)
{
	return c == '-' ? '_' : (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool same_folded(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fold(a[i]) != fold(b[i]))
			return false;
	return a[n] == '\0';
}

/* The distribution of this name and version that is known already, as of one
 * that has both a .dist-info and an .egg-info; or NONE. */
static size_t find_dist(const struct px_report *r, const char *name, size_t n,
			const char *version, size_t n_version)
{
	for (size_t i = 0; i < r->n_dists; i++)
		if (strlen(r->dists[i].name) == n &&
		    same_folded(r->dists[i].name, name, n) &&
		    strlen(r->dists[i].version) == n_version &&
		    memcmp(r->dists[i].version, version, n_version) == 0)
			return i;
	return NONE;
}

/* Adds a distribution with the metadata `dir`, or NULL for a top-level name. */
static int add_dist(struct px_report *r, const char *name, size_t n,
		    const char *version, size_t n_version, const char *dir)
{
	struct px_report_dist *dists =
		reallocarray(r->dists, r->n_dists + 1, sizeof(*dists));
	struct px_report_dist *d;

	if (!dists)
		return -ENOMEM;
	r->dists = dists;
	d = &dists[r->n_dists];
	*d = (struct px_report_dist){
		.name = strndup(name, n),
		.version = strndup(version, n_version),
		.dir = dir ? strdup(dir) : NULL,
		.installed = dir,
	};
	if (!d->name || !d->version || (dir && !d->dir)) {
		free(d->name);
		free(d->version);
		free(d->dir);
		return -ENOMEM;
	}
	r->n_dists++;
	return 0;
}

/* The distribution that the metadata directory `dir` is of, added if it is not
 * there yet. What a wheel says of it comes before what an .egg-info says. */
static int have_dist(struct px_report *r, const char *dir, size_t n,
		     const char *version, size_t n_version, bool is_wheel,
		     size_t *ret)
{
	char *copy;

	*ret = find_dist(r, dir, n, version, n_version);
	if (*ret == NONE) {
		*ret = r->n_dists;
		return add_dist(r, dir, n, version, n_version, dir);
	}
	copy = is_wheel ? strdup(dir) : NULL;
	if (!copy)
		return is_wheel ? -ENOMEM : 0;
	free(r->dists[*ret].dir);
	r->dists[*ret].dir = copy;
	return 0;
}

/* Adds a claim for each path in the RECORD of the directory `dir`. A RECORD
 * that cannot be read claims nothing. */
static int claim_record(struct claims *c, struct px_tree *t, const char *dir,
			size_t dist)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = RECORD_MAX};
	PX_AUTO(px_buf_fini) struct px_buf name = {.max = RECORD_MAX};
	PX_AUTOFREE char *path = px_path_join(dir, "RECORD");
	struct px_record_reader reader;
	const char *rest;
	struct px_stat st;
	size_t n_rest;
	int r;

	if (!path)
		return -ENOMEM;
	if (px_tree_read(t, path, &text, &st) < 0)
		return 0;
	reader = (struct px_record_reader){(const char *)text.data, text.size,
					   0};
	while ((r = px_record_next(&reader, &name, &rest, &n_rest)) > 0) {
		r = add_claim(c, (const char *)name.data, dist);
		if (r < 0)
			return r;
	}
	return r == -ENOMEM ? r : 0;
}

/* Adds a claim for a name that can be imported. */
static int claim_top(struct claims *tops, const char *name, size_t n,
		     size_t dist)
{
	PX_AUTOFREE char *folded = strndup(name, n);

	if (!folded)
		return -ENOMEM;
	for (char *p = folded; *p; p++)
		*p = fold(*p);
	return *folded ? add_claim(tops, folded, dist) : 0;
}

/* Adds claims for what the metadata directory `dir` of the distribution says
 * can be imported, or else for a module of the distribution's name. */
static int claim_tops(struct claims *tops, struct px_tree *t, const char *dir,
		      const struct px_report_dist *d, size_t dist)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = TOPS_MAX};
	PX_AUTOFREE char *path = px_path_join(dir, "top_level.txt");
	struct px_stat st;
	int r = 0;

	if (!path)
		return -ENOMEM;
	if (px_tree_read(t, path, &text, &st) < 0)
		return claim_top(tops, d->name, strlen(d->name), dist);
	for (size_t at = 0, n; at < text.size && r == 0; at += n + 1) {
		const char *line = (const char *)text.data + at;
		const char *end = memchr(line, '\n', text.size - at);

		n = end ? (size_t)(end - line) : text.size - at;
		if (!memchr(line, '\0', n))
			r = claim_top(tops, line, n, dist);
	}
	return r;
}

/* Sorts the claims, and drops those of which several distributions have the
 * same, as those of a namespace package have. */
static void settle_tops(struct claims *tops)
{
	size_t kept = 0, to;

	if (tops->n > 0)
		qsort(tops->all, tops->n, sizeof(*tops->all), compare_claims);
	for (size_t from = 0; from < tops->n; from = to) {
		bool alone = true;

		for (to = from + 1;
		     to < tops->n &&
		     strcmp(tops->all[from].path, tops->all[to].path) == 0;
		     to++) {
			alone &= tops->all[to].dist == tops->all[from].dist;
			free(tops->all[to].path);
		}
		if (alone)
			tops->all[kept++] = tops->all[from];
		else
			free(tops->all[from].path);
	}
	tops->n = kept;
}

/* Adds a distribution for each NAME-VERSION.dist-info or .egg-info in SOURCE
 * itself. */
static int find_dists(struct px_report *r, struct px_tree *t,
		      struct claims *claims, struct claims *tops)
{
	struct px_listing l;
	size_t i;
	int err = px_tree_list(t, "", PX_LIST_KINDS, &l);

	if (err < 0)
		return err;
	for (i = 0; i < l.n && err == 0; i++) {
		const char *name = l.names[i].name;
		const size_t n = strlen(name);
		const bool is_wheel = px_ends_in(name, ".dist-info");
		const char *dash, *version;
		size_t stem, n_version, dist;

		if (!is_wheel && !px_ends_in(name, ".egg-info"))
			continue;
		stem = n - strlen(".dist-info") + (is_wheel ? 0 : 1);
		if (stem == 0)
			continue;
		dash = memchr(name, '-', stem);
		version = dash ? dash + 1 : name + stem;
		/* The version of an egg may be followed by something like
		 * "-py3.11". */
		n_version = strcspn(version, "-");
		if (version + n_version > name + stem)
			n_version = (size_t)(name + stem - version);
		err = have_dist(r, name, dash ? (size_t)(dash - name) : stem,
				version, n_version, is_wheel, &dist);
		if (err == 0 && is_wheel && l.names[i].type == PX_TYPE_DIR)
			err = claim_record(claims, t, name, dist);
		/* The distribution also claims its metadata directory, even if
		 * RECORD does not list the files in it. */
		if (err == 0)
			err = add_claim(claims, name, dist);
		if (err == 0)
			err = claim_tops(tops, t, name, &r->dists[dist], dist);
	}
	px_listing_fini(&l);
	settle_tops(tops);
	return err;
}

/* The distribution that says it is what `path` is imported from, or NONE. */
static size_t named_by(const struct claims *tops, const char *path)
{
	char name[NAME_MAX + 1];
	const size_t n = strcspn(path, "/.");

	if (n == 0 || n > NAME_MAX)
		return NONE;
	for (size_t i = 0; i < n; i++)
		name[i] = fold(path[i]);
	name[n] = '\0';
	return claimed_by(tops, name);
}

/* Assigns the unclaimed files among [from, to), which have the same top-level
 * name, to the distribution that claims most of the others. If there is none,
 * they go to the pseudo-distribution of the top-level name;
 * pseudo-distributions have indices from `first` on. `votes` is all zero, with
 * one counter per distribution. */
static int assign_top(struct px_report *r, const struct claims *tops,
		      size_t *votes, size_t first, size_t from, size_t to)
{
	const char *path = r->files[from].source;
	const size_t n = strcspn(path, "/");
	size_t best = NONE, i;
	int err;

	for (i = from; i < to; i++) {
		const size_t dist = r->files[i].dist;

		if (dist != NONE &&
		    (++votes[dist], best == NONE || votes[dist] > votes[best]))
			best = dist;
	}
	/* Reset the counters for the next call. */
	for (i = from; i < to; i++)
		if (r->files[i].dist != NONE)
			votes[r->files[i].dist] = 0;
	if (best == NONE)
		best = named_by(tops, path);
	/* An earlier call may have added the pseudo-distribution already:
	 * sources that are kept and their bytecode in __pycache__ have the same
	 * top-level name in SOURCE, but need not be next to each other in the
	 * view. */
	for (i = first; i < r->n_dists && best == NONE; i++)
		if (strncmp(r->dists[i].name, path, n) == 0 &&
		    r->dists[i].name[n] == '\0')
			best = i;
	if (best == NONE) {
		err = add_dist(r, path, n, "", 0, NULL);
		if (err < 0)
			return err;
		best = r->n_dists - 1;
	}
	for (i = from; i < to; i++)
		if (r->files[i].dist == NONE)
			r->files[i].dist = best;
	return 0;
}

static bool same_top(const char *a, const char *b)
{
	const size_t n = strcspn(a, "/");

	return strncmp(a, b, n) == 0 && (b[n] == '/' || b[n] == '\0');
}

/* Files are sorted by their paths in the view. Files with the same top-level
 * name in SOURCE usually are consecutive there. */
static int assign_all(struct px_report *r, const struct claims *tops)
{
	const size_t n_tops = r->n_files, first = r->n_dists;
	size_t *votes = calloc(r->n_dists + n_tops + 1, sizeof(*votes));
	size_t from, to;
	int err = votes ? 0 : -ENOMEM;

	for (from = 0; from < r->n_files && err == 0; from = to) {
		for (to = from + 1;
		     to < r->n_files &&
		     same_top(r->files[from].source, r->files[to].source);
		     to++)
			;
		err = assign_top(r, tops, votes, first, from, to);
	}
	free(votes);
	return err;
}

static int compare_dists(const void *a, const void *b, void *arg)
{
	const struct px_report *r = arg;
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const int c = strcasecmp(r->dists[x].name, r->dists[y].name);

	return c ? c : (x > y) - (x < y);
}

/* Sorts the distributions by name, ignoring case, and removes those without
 * files. */
static int sort_dists(struct px_report *r)
{
	const size_t n = r->n_dists;
	PX_AUTOFREE size_t *order = calloc(n + 1, sizeof(*order));
	PX_AUTOFREE size_t *place = calloc(n + 1, sizeof(*place));
	PX_AUTOFREE bool *used = calloc(n + 1, sizeof(*used));
	struct px_report_dist *sorted = calloc(n + 1, sizeof(*sorted));
	size_t i, k = 0;

	if (!order || !place || !used || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (i = 0; i < r->n_files; i++)
		used[r->files[i].dist] = true;
	for (i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare_dists, r);
	for (i = 0; i < n; i++) {
		struct px_report_dist *d = &r->dists[order[i]];

		if (used[order[i]]) {
			place[order[i]] = k;
			sorted[k++] = *d;
		} else {
			free(d->name);
			free(d->version);
			free(d->dir);
		}
	}
	for (i = 0; i < r->n_files; i++)
		r->files[i].dist = place[r->files[i].dist];
	free(r->dists);
	r->dists = sorted;
	r->n_dists = k;
	return 0;
}

int px_report_assign(struct px_report *r, struct px_tree *t)
{
	struct claims claims = {0}, tops = {0};
	size_t i;
	int err = find_dists(r, t, &claims, &tops);

	if (err == 0 && claims.n > 0)
		qsort(claims.all, claims.n, sizeof(*claims.all),
		      compare_claims);
	for (i = 0; i < r->n_files && err == 0; i++) {
		const char *path = r->files[i].source;
		PX_AUTOFREE char *top = strndup(path, strcspn(path, "/"));

		if (!top)
			err = -ENOMEM;
		else
			r->files[i].dist = claimed_by(&claims, path);
		if (top && r->files[i].dist == NONE)
			r->files[i].dist = claimed_by(&claims, top);
	}
	claims_fini(&claims);
	if (err == 0)
		err = assign_all(r, &tops);
	claims_fini(&tops);
	return err < 0 ? err : sort_dists(r);
}
