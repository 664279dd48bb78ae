/* SPDX-License-Identifier: MIT */
/*
 * The parsers of the values of options.
 */
#include "opt_table.h"
#include "opt_value.h"

#include "pycfs/export.h"
#include "pycfs/scripts.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>

/* The epoch of --mtime content where SOURCE_DATE_EPOCH has none: 2020-01-01, in
 * seconds since 1970. The manual names it. */
#define DEFAULT_EPOCH 1577836800

/* The largest file of rules that is read, in bytes. */
#define RULES_MAX (1u << 20)

static int take_uint(const char *text, unsigned max, unsigned *ret)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 ||
	    v > max)
		return -EINVAL;
	*ret = (unsigned)v;
	return 0;
}

static int take_size(const char *v, uint64_t *ret)
{
	return px_parse_size(v, ret) < 0 || *ret == 0 ? -EINVAL : 0;
}

/* The value is a number of seconds, with a fraction if need be. It is checked
 * before strtod(3) gets it, which would also accept "inf", "0x1p4" or blanks.
 */
int px_opt_timeout(struct px_opt *o, const char *v)
{
	static const char digits[] = "0123456789";
	const size_t whole = strspn(v, digits);
	const size_t part = v[whole] == '.' ? strspn(v + whole + 1, digits) : 0;
	double seconds;

	if (whole == 0 || v[whole + (part > 0) + part] != '\0')
		return -EINVAL;
	seconds = strtod(v, NULL);
	if (!(seconds >= 0 && seconds <= 86400))
		return -EINVAL;
	o->timeout_ms = (unsigned)(seconds * 1000);
	if (seconds > 0 && o->timeout_ms == 0)
		o->timeout_ms = 1; /* 0 would mean: no limit */
	return 0;
}

int px_opt_prefix_dir(struct px_opt *o, const char *v)
{
	o->prefix_dir = v;
	return px_export_check_prefix(v);
}

int px_opt_scripts(struct px_opt *o, const char *v)
{
	o->scripts = v;
	if (px_export_check_prefix(v) == 0)
		return 0;
	return px_because(&o->bad, -EINVAL,
			  "bad --scripts '%s': name a directory of the mount "
			  "or of DEST, such as bin",
			  v);
}

int px_opt_scripts_python(struct px_opt *o, const char *v)
{
	o->scripts_python = v;
	if (px_scripts_check_python(v) == 0)
		return 0;
	return px_because(&o->bad, -EINVAL,
			  "bad --scripts-python '%s': give an absolute path of "
			  "at most 125 bytes and without blanks, as the "
			  "kernel reads no other",
			  v);
}

/* The largest function that AWS Lambda accepts, in bytes, unzipped and zipped
 * ("Lambda quotas" in its developer guide: 250 MB and 50 MB, which it counts as
 * MiB). */
#define LAMBDA_SIZE	  (250u << 20)
#define LAMBDA_COMPRESSED (50u << 20)

static int take_limit(const char *v, uint64_t lambda, uint64_t *ret)
{
	*ret = lambda;
	return strcmp(v, "lambda") == 0 ? 0 : take_size(v, ret);
}

int px_opt_max_size(struct px_opt *o, const char *v)
{
	return take_limit(v, LAMBDA_SIZE, &o->max_size);
}

int px_opt_max_compressed(struct px_opt *o, const char *v)
{
	return take_limit(v, LAMBDA_COMPRESSED, &o->max_compressed_size);
}

int px_opt_max_growth(struct px_opt *o, const char *v)
{
	const size_t n = strlen(v);
	uint64_t bytes;
	char *end;

	if (n > 1 && v[n - 1] == '%') {
		if (strspn(v, "0123456789.") != n - 1 || *v == '.')
			return -EINVAL;
		o->max_growth_percent = strtod(v, &end);
		return end == v + n - 1 ? 0 : -EINVAL;
	}
	if (px_parse_size(v, &bytes) < 0 || bytes > INT64_MAX)
		return -EINVAL;
	o->max_growth = (int64_t)bytes;
	return 0;
}

static int add_rule(struct px_opt *o, enum px_rule_verb verb, unsigned level,
		    const char *pattern)
{
	const char *what = NULL;
	int r;

	if (!o->rules && px_rules_new(&o->rules) < 0)
		return -ENOMEM;
	r = px_rules_add(o->rules, verb, level, pattern, &what);
	if (r == -EINVAL)
		px_because(&o->bad, r, "bad pattern '%s': %s", pattern, what);
	return r;
}

int px_opt_exclude(struct px_opt *o, const char *v)
{
	return add_rule(o, PX_RULE_EXCLUDE, 0, v);
}

int px_opt_include(struct px_opt *o, const char *v)
{
	return add_rule(o, PX_RULE_INCLUDE, 0, v);
}

int px_opt_keep_source(struct px_opt *o, const char *v)
{
	return add_rule(o, PX_RULE_KEEP_SOURCE, 0, v);
}

int px_opt_optimize_for(struct px_opt *o, const char *v)
{
	if (*v < '0' || *v > '2' || v[1] != ':')
		return -EINVAL;
	return add_rule(o, PX_RULE_OPTIMIZE, (unsigned)(*v - '0'), v + 2);
}

int px_opt_rules(struct px_opt *o, const char *v)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = RULES_MAX};
	PX_AUTOCLOSE int fd = open(v, O_RDONLY | O_CLOEXEC);
	const char *what = NULL;
	size_t line = 0;
	int r = fd < 0 ? -errno : px_slurp(fd, &text);

	if (r < 0)
		return px_because(
			&o->bad, -EINVAL, "cannot read rules '%s': %s", v,
			r == -EFBIG ? "larger than 1 MiB" : strerror(-r));
	if (!o->rules && px_rules_new(&o->rules) < 0)
		return -ENOMEM;
	r = px_rules_parse(o->rules, (const char *)text.data, text.size, &line,
			   &what);
	if (r == -EINVAL)
		px_because(&o->bad, r, "%s:%zu: %s", v, line, what);
	return r;
}

/* The path is made absolute here, because a daemon changes its directory. It is
 * not resolved: links may call the directory by the name that the user does. */
int px_opt_follow_links(struct px_opt *o, const char *v)
{
	PX_AUTOFREE char *here = *v == '/' ? NULL : getcwd(NULL, 0);
	char **follow;

	if (!*v || (*v != '/' && !here))
		return -EINVAL;
	follow = reallocarray(o->follow, o->n_follow + 1, sizeof(*follow));
	if (!follow)
		return -ENOMEM;
	o->follow = follow;
	follow[o->n_follow] = here ? px_path_join(here, v) : strdup(v);
	return follow[o->n_follow++] ? 0 : -ENOMEM;
}

/* The text of src/cli/profile_safe.rules, which tools/embed turns into C. */
extern const unsigned char px_profile_safe[];
extern const size_t px_profile_safe_size;

int px_opt_add_profile(struct px_opt *o)
{
	struct px_rules *all;
	const char *what;
	size_t line;
	int r = px_rules_new(&all);

	if (r < 0)
		return r;
	r = px_rules_parse(all, (const char *)px_profile_safe,
			   px_profile_safe_size, &line, &what);
	if (r == 0)
		px_rules_mark_built_in(all);
	if (r == 0 && o->rules)
		r = px_rules_append(all, o->rules);
	if (r < 0) {
		px_rules_free(all);
		return r;
	}
	o->rules = all;
	return 0;
}

int px_opt_owner(struct px_opt *o, const char *v)
{
	const char *colon = strchr(v, ':');
	unsigned uid, gid;
	char text[16];

	if (!colon || colon - v >= (ptrdiff_t)sizeof(text))
		return -EINVAL;
	memcpy(text, v, (size_t)(colon - v));
	text[colon - v] = '\0';
	/* Nobody can have the ID UINT_MAX, because chown(2) takes it for -1,
	 * which means "unchanged". */
	if (take_uint(text, UINT_MAX - 1, &uid) < 0 ||
	    take_uint(colon + 1, UINT_MAX - 1, &gid) < 0)
		return -EINVAL;
	o->uid = uid;
	o->gid = gid;
	return 0;
}

/* A time must fit in the 32-bit fields of a .pyc's and a gzip's header. */
int px_opt_mtime(struct px_opt *o, const char *v)
{
	unsigned seconds;

	o->mtime_by_content = strcmp(v, "content") == 0;
	if (o->mtime_by_content) {
		o->mtime = -1;
		return 0;
	}
	if (take_uint(v, UINT_MAX, &seconds) < 0)
		return -EINVAL;
	o->mtime = seconds;
	return 0;
}

int px_opt_epoch(struct px_opt *o, struct px_why *why)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	const bool is_mount = (o->verb & PX_VERBS_MOUNT) != 0;
	unsigned seconds;

	/* A mount that took the epoch by itself would give all files one time,
	 * and an image builder that has the mount as its context compares sizes
	 * and times only. */
	if (!(o->verb & PX_VERBS_VIEW) || o->mtime >= 0 ||
	    (is_mount && !o->mtime_by_content))
		return 0;
	if (!epoch || !*epoch) {
		if (o->mtime_by_content)
			o->mtime = DEFAULT_EPOCH;
		return 0;
	}
	if (take_uint(epoch, UINT_MAX, &seconds) < 0)
		return px_because(why, -EINVAL,
				  "bad SOURCE_DATE_EPOCH '%s': "
				  "seconds since 1970 are wanted",
				  epoch);
	o->mtime = seconds;
	return 0;
}

static int take_choice(const struct px_opt_choice *c, const char *value,
		       unsigned *ret)
{
	for (; c->name; c++)
		if (strcmp(c->name, value) == 0) {
			*ret = c->value;
			return 0;
		}
	return -EINVAL;
}

int px_opt_take(struct px_opt *o, const struct px_opt_row *row,
		const char *value)
{
	void *at = (char *)o + row->at;
	unsigned choice;
	uint64_t bytes;
	int r;

	switch (row->type) {
	case PX_OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case PX_OPT_CHOICE:
		return take_choice(row->choices, value, at);
	case PX_OPT_CHOICES:
		r = take_choice(row->choices, value, &choice);
		*(unsigned *)at |= r < 0 ? 0 : choice;
		return r;
	case PX_OPT_TEXT:
		*(const char **)at = value;
		return *value || row->max == 0 ? 0 : -EINVAL;
	case PX_OPT_COUNT:
		return take_uint(value, row->max, at);
	case PX_OPT_BYTES:
		if (take_size(value, &bytes) < 0 ||
		    (row->max > 0 && bytes > row->max))
			return -EINVAL;
		*(uint64_t *)at = bytes;
		return 0;
	case PX_OPT_OTHER:
		return row->set(o, value);
	case PX_OPT_LIST:
		break;
	}
	return -EINVAL;
}
