/* SPDX-License-Identifier: MIT */
#include "cmd_report_i.h"

#include "pycfs/log.h"

#include <jansson.h>

/* A distribution that is not as it was. */
struct change {
	const char *name;
	json_int_t before, after; /* bytes shipped; -1: not there */
};

static json_int_t grown(const struct change *c)
{
	return (c->after > 0 ? c->after : 0) - (c->before > 0 ? c->before : 0);
}

static int compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	const json_int_t p = grown(x), q = grown(y);

	if (p != q)
		return p < q ? 1 : -1;
	return strcasecmp(x->name, y->name);
}

static json_int_t bytes_of(const json_t *o)
{
	return json_integer_value(json_object_get(o, "bytes"));
}

static int load(const char *path, json_t **ret, struct px_why *why)
{
	json_error_t err;
	json_t *old = json_load_file(path, 0, &err);

	if (!old)
		return px_because(why, -EINVAL, "%s:%d: %s", path, err.line,
				  err.text);
	if (json_integer_value(json_object_get(old, "version")) != 1 ||
	    !json_is_array(json_object_get(old, "distributions")) ||
	    !json_is_object(json_object_get(old, "totals"))) {
		json_decref(old);
		return px_because(why, -EINVAL,
				  "%s is not what 'pycfs report --json' of "
				  "this version prints",
				  path);
	}
	*ret = old;
	return 0;
}

static const char *name_of(const json_t *dist)
{
	const char *name = json_string_value(json_object_get(dist, "name"));

	return name ? name : "";
}

static const json_t *find(const json_t *dists, const char *name)
{
	const json_t *d;
	size_t i;

	json_array_foreach(dists, i,
			   d) if (strcmp(name_of(d), name) == 0) return d;
	return NULL;
}

/* What differs, the most grown first. The caller's; NULL: ENOMEM. */
static struct change *compare(const struct px_report *r, const json_t *dists,
			      size_t *ret_n)
{
	const size_t max = r->n_dists + json_array_size(dists);
	struct change *all = calloc(max + 1, sizeof(*all));
	PX_AUTOFREE bool *seen = calloc(max + 1, sizeof(*seen));
	const json_t *d;
	size_t n = 0, i;

	if (!all || !seen) {
		free(all);
		return NULL;
	}
	for (i = 0; i < r->n_dists; i++) {
		const json_int_t now =
			(json_int_t)px_report_bytes(&r->dists[i].sizes);

		d = find(dists, r->dists[i].name);
		if (!d || bytes_of(d) != now)
			all[n++] = (struct change){r->dists[i].name,
						   d ? bytes_of(d) : -1, now};
	}
	json_array_foreach(dists, i, d)
	{
		size_t k;

		for (k = 0; k < r->n_dists; k++)
			if (strcmp(r->dists[k].name, name_of(d)) == 0)
				break;
		if (k == r->n_dists)
			all[n++] = (struct change){name_of(d), bytes_of(d), -1};
	}
	qsort(all, n, sizeof(*all), compare_changes);
	*ret_n = n;
	return all;
}

static void print_bytes(json_int_t bytes)
{
	char buf[16];

	printf(" %10s", bytes < 0 ? "-" : px_human((uint64_t)bytes, buf));
}

static void print_growth(json_int_t by)
{
	char buf[16];

	printf("  %c%9s", by < 0 ? '-' : '+',
	       px_human((uint64_t)(by < 0 ? -by : by), buf));
}

/* Whether `o` allows such growth; says it if not. */
static bool allowed(const struct px_opt *o, json_int_t before, json_int_t after)
{
	const json_int_t by = after - before;
	const double percent =
		before > 0 ? 100.0 * (double)by / (double)before : 0;
	bool fine = true;

	if (o->max_growth >= 0 && by > o->max_growth) {
		px_log(PX_LOG_ERROR,
		       "the layer grew by %lld bytes, %lld are allowed",
		       (long long)by, (long long)o->max_growth);
		fine = false;
	}
	if (o->max_growth_percent >= 0 && percent > o->max_growth_percent) {
		px_log(PX_LOG_ERROR,
		       "the layer grew by %.2f %%, %.2f %% are allowed",
		       percent, o->max_growth_percent);
		fine = false;
	}
	return fine;
}

int px_report_diff(const struct px_shown *s, struct px_why *why)
{
	const json_int_t after = (json_int_t)px_report_bytes(&s->r->total);
	struct change *changes;
	json_int_t before;
	json_t *old;
	size_t n, i;
	int r = load(s->o->diff, &old, why);

	if (r < 0)
		return r;
	changes = compare(s->r, json_object_get(old, "distributions"), &n);
	if (!changes) {
		json_decref(old);
		return px_because(why, -ENOMEM, "out of memory");
	}
	before = bytes_of(json_object_get(old, "totals"));
	printf("%-32s %10s %10s  %10s\n", "DISTRIBUTION", "BEFORE", "NOW",
	       "GROWN BY");
	for (i = 0; i < n; i++) {
		printf("%-32s", changes[i].name);
		print_bytes(changes[i].before);
		print_bytes(changes[i].after);
		print_growth(grown(&changes[i]));
		putchar('\n');
	}
	printf("%-32s", "all");
	print_bytes(before);
	print_bytes(after);
	print_growth(after - before);
	putchar('\n');
	free(changes);
	json_decref(old);
	return allowed(s->o, before, after) ? 0 : 1;
}
