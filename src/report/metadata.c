/* SPDX-License-Identifier: MIT */
/*
 * What rules hide of the metadata of distributions that ship: the texts of
 * licences, which most licences want to see beside the code, and the RECORD.
 */
#include "report_i.h"

#include <stdio.h>

static bool begins(const char *s, const char *with)
{
	return strncasecmp(s, with, strlen(with)) == 0;
}

/* What `path` is called in a metadata directory at the top of SOURCE; NULL: it
 * is in none. */
static const char *name_in_metadata(const char *path)
{
	static const char *const ends[] = {".dist-info", ".egg-info"};
	const char *slash = strchr(path, '/');

	for (size_t i = 0; slash && i < PX_ARRAY_LEN(ends); i++) {
		const size_t n = strlen(ends[i]);

		if ((size_t)(slash - path) > n &&
		    strncmp(slash - n, ends[i], n) == 0)
			return slash + 1;
	}
	return NULL;
}

/* As PEP 639 and setuptools name them. */
static bool is_licence(const char *name)
{
	return begins(name, "LICENSE") || begins(name, "LICENCE") ||
	       begins(name, "COPYING") || begins(name, "NOTICE");
}

/* The distribution of the metadata directory that has `path`, if it ships
 * anything beside metadata; NULL: it does not, or nothing of that directory
 * ships. */
static const struct px_report_dist *owner_of(const struct px_report *r,
					     const char *path)
{
	const size_t n = strcspn(path, "/") + 1;
	const struct px_report_dist *d;
	size_t from = 0, to = r->n_files;

	/* Files are in order of their paths. */
	while (from < to) {
		const size_t middle = from + (to - from) / 2;

		if (strncmp(r->files[middle].path, path, n) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == r->n_files || strncmp(r->files[from].path, path, n) != 0)
		return NULL;
	d = &r->dists[r->files[from].dist];
	return d->sizes.modules > 0 || d->sizes.native_bytes > 0 ? d : NULL;
}

/* Adds a risk to know. */
static int add(struct px_report *r, const char *path, const char *rule,
	       const char *reason, const char *name)
{
	char *remedy;
	struct px_report_risk k = {
		.path = path,
		.grade = 1,
		.rule = rule,
		.reason = reason,
		.detail = name,
	};

	if (asprintf(&remedy, "include /%s", path) < 0)
		return -ENOMEM;
	k.remedy = px_report_own(r, remedy);
	return k.remedy ? px_report_add_risk(r, PX_NO_FILE, &k) : -ENOMEM;
}

int px_report_look_at_metadata(struct px_report *r,
			       const struct px_report_options *o)
{
	int err = 0;

	for (size_t i = 0; i < r->n_hidden && err == 0; i++) {
		const struct px_report_hidden *h = &r->hidden[i];
		const char *name = name_in_metadata(h->path);
		const struct px_report_dist *d;

		if (!name || !o->rules ||
		    !px_rules_excluded(o->rules, h->path, h->is_dir))
			continue;
		d = is_licence(name) || begins(name, "licenses") ||
				    strcmp(name, "RECORD") == 0
			    ? owner_of(r, h->path)
			    : NULL;
		if (!d)
			continue;
		err = *name == 'R'
			      ? add(r, h->path, PX_REPORT_HIDDEN_RECORD,
				    "is not shipped: importlib.metadata.files()"
				    " is None for this distribution",
				    d->name)
			      : add(r, h->path, PX_REPORT_HIDDEN_LICENCE,
				    "is not shipped, though what it is the "
				    "licence of is",
				    d->name);
	}
	return err;
}
