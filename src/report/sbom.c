/* SPDX-License-Identifier: MIT */
#include "report_i.h"
#include "licence.h"

#include "pycfs/io.h"
#include "pycfs/path.h"
#include "pycfs/text.h"

#include <ctype.h>
#include <stdio.h>

/* Bytes that are read of a file of metadata: its headers are before the
 * description, which may be long. */
#define METADATA_MAX (256u << 10)

static void part_fini(struct px_sbom_part *p)
{
	for (size_t i = 0; i < p->n_licences; i++)
		free(p->licences[i].text);
	free(p->licences);
	free(p->name);
	free(p->version);
	free(p->purl);
}

void px_sbom_fini(struct px_sbom *s)
{
	for (size_t i = 0; i < s->n; i++)
		part_fini(&s->parts[i]);
	free(s->parts);
	*s = (struct px_sbom){0};
}

/* ---------------------------------------------------------------- purl */

/* As packaging.utils.canonicalize_name does it. */
static void put_normal(FILE *to, const char *name)
{
	for (; *name; name++) {
		const unsigned char c = (unsigned char)*name;

		if (strchr("-_.", c))
			name[1] && strchr("-_.", name[1]) ? 0 : putc('-', to);
		else if (isalnum(c))
			putc(tolower(c), to);
		else
			fprintf(to, "%%%02X", c);
	}
}

static void put_encoded(FILE *to, const char *text)
{
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c))
			putc(c, to);
		else
			fprintf(to, "%%%02X", c);
	}
}

/* The caller frees it. NULL: no memory. */
static char *make_purl(const struct px_sbom_part *p)
{
	char *purl = NULL;
	size_t n;
	FILE *to = open_memstream(&purl, &n);

	if (!to)
		return NULL;
	fputs("pkg:pypi/", to);
	put_normal(to, p->name);
	if (*p->version) {
		putc('@', to);
		put_encoded(to, p->version);
	}
	if (fclose(to) == 0)
		return purl;
	free(purl);
	return NULL;
}

/* ------------------------------------------------------------- metadata */

/* Reads the metadata that the file `path` is, or that `name` in it is. Returns
 * 0, also if there is none, or -ENOMEM. */
static int read_metadata(struct px_tree *t, const char *dir, const char *name,
			 struct px_sbom_part *p, bool *ret_found)
{
	PX_AUTOFREE char *path = px_path_join(dir, name);
	PX_AUTOFREE char *text = malloc(METADATA_MAX);
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	ssize_t n;

	if (!path || !text)
		return -ENOMEM;
	if (px_tree_open_file(t, path, &fd, &st) < 0)
		return 0;
	n = px_read_full(fd, text, METADATA_MAX);
	if (n < 0)
		return 0;
	*ret_found = true;
	return px_licence_read(text, (size_t)n, p);
}

static int describe(const struct px_report_dist *d, struct px_tree *t,
		    struct px_sbom_part *p)
{
	/* Of a wheel, of an .egg-info, and of one that is a file. */
	static const char *const names[] = {"METADATA", "PKG-INFO", ""};
	bool found = false;
	int r = 0;

	*p = (struct px_sbom_part){
		.name = px_clean(d->name),
		.version = px_clean(d->version),
	};
	if (!p->name || !p->version)
		return -ENOMEM;
	for (size_t i = 0; i < PX_ARRAY_LEN(names) && !found && r == 0; i++)
		r = read_metadata(t, d->dir, names[i], p, &found);
	if (r < 0)
		return r;
	p->purl = make_purl(p);
	return p->purl ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ all */

/* Whether a path in SOURCE is in or of a .dist-info or .egg-info at its top. */
static bool is_metadata(const char *source)
{
	static const char *const ends[] = {".dist-info", ".egg-info"};
	const size_t n = strcspn(source, "/");

	for (size_t i = 0; i < PX_ARRAY_LEN(ends); i++) {
		const size_t k = strlen(ends[i]);

		if (n > k && memcmp(source + n - k, ends[i], k) == 0)
			return true;
	}
	return false;
}

static int compare_parts(const void *a, const void *b)
{
	const struct px_sbom_part *x = a, *y = b;
	const int c = strcmp(x->purl, y->purl);

	/* Of two that are the same, the one that says more comes first. */
	return c ? c
		 : (x->n_licences < y->n_licences) -
			       (x->n_licences > y->n_licences);
}

static void sort(struct px_sbom *s)
{
	size_t kept = 0;

	if (s->n > 1)
		qsort(s->parts, s->n, sizeof(*s->parts), compare_parts);
	for (size_t i = 0; i < s->n; i++)
		if (kept > 0 &&
		    strcmp(s->parts[kept - 1].purl, s->parts[i].purl) == 0)
			part_fini(&s->parts[i]);
		else
			s->parts[kept++] = s->parts[i];
	s->n = kept;
}

int px_sbom_of_report(const struct px_report *r, struct px_tree *t,
		      struct px_sbom *ret)
{
	PX_AUTOFREE bool *ships = calloc(r->n_dists + 1, sizeof(*ships));
	int err = 0;

	*ret = (struct px_sbom){
		.parts = calloc(r->n_dists + 1, sizeof(*ret->parts))};
	if (!ships || !ret->parts)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_files; i++) {
		const struct px_report_dist *d = &r->dists[r->files[i].dist];

		if (d->installed && !is_metadata(r->files[i].source))
			ships[r->files[i].dist] = true;
	}
	for (size_t i = 0; i < r->n_dists && err == 0; i++)
		if (ships[i])
			err = describe(&r->dists[i], t, &ret->parts[ret->n++]);
	if (err == 0)
		sort(ret);
	return err;
}

static int compare_files(const void *a, const void *b)
{
	const struct px_report_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

int px_sbom_of_paths(const struct px_buf *paths, struct px_tree *t,
		     struct px_sbom *ret)
{
	struct px_report r = {0};
	const char *path = (const char *)paths->data;
	const char *end = path + paths->size;
	size_t n = 0;
	int err = 0;

	*ret = (struct px_sbom){0};
	for (const char *p = path; p < end; p += strlen(p) + 1)
		n++;
	r.files = calloc(n + 1, sizeof(*r.files));
	if (!r.files)
		return -ENOMEM;
	for (; path < end && err == 0; path += strlen(path) + 1) {
		struct px_report_file *f = &r.files[r.n_files++];

		f->path = strdup(path);
		f->source = f->path;
		err = f->path ? 0 : -ENOMEM;
	}
	if (err == 0 && n > 1)
		qsort(r.files, n, sizeof(*r.files), compare_files);
	if (err == 0)
		err = px_report_assign(&r, t);
	if (err == 0)
		err = px_sbom_of_report(&r, t, ret);
	px_report_fini(&r);
	return err;
}
