/* SPDX-License-Identifier: MIT */
#include "report_shown.h"

#include "pycfs/log.h"
#include "pycfs/term.h"

#include <ctype.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>

#define MAX_OLD (1u << 30) /* bytes of the earlier report */

/* A distribution whose size has changed. */
struct change {
	const char *name;
	json_int_t before, after; /* bytes shipped; -1: it is not shipped */
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

/* Whether the escape at `p` is that of a lone surrogate \udc80 to \udcff. */
static bool is_odd_byte(const char *p)
{
	return (p[2] == 'd' || p[2] == 'D') && (p[3] == 'c' || p[3] == 'C') &&
	       strchr("89abcdefABCDEF", p[4]) &&
	       isxdigit((unsigned char)p[4]) && isxdigit((unsigned char)p[5]);
}

/* In a report, a byte 0xNN that is not part of valid UTF-8 is the escape of a
 * lone surrogate, \udcNN (json.h), which jansson refuses. Replaces it, in the
 * text from `p` to `end`, by \uf7NN, a code point for private use. */
static void admit_odd_bytes(char *p, const char *end)
{
	if (!p)
		return;
	while ((p = memchr(p, '\\', (size_t)(end - p))) && end - p >= 6) {
		if (p[1] != 'u') {
			p += 2;
		} else if ((p[2] == 'd' || p[2] == 'D') && p[3] != 'c' &&
			   p[3] != 'C') {
			/* The first half of a surrogate pair, whose second half
			 * must not be taken for a lone surrogate. */
			p += end - p >= 12 ? 12 : 6;
		} else {
			if (is_odd_byte(p)) {
				p[2] = 'f';
				p[3] = '7';
			}
			p += 6;
		}
	}
}

/* Returns the byte 0xNN if the UTF-8 at `p` is that of U+F7NN; else 0. */
static char odd_byte(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] != 0xEF || (u[1] != 0x9E && u[1] != 0x9F))
		return 0;
	return (char)((u[1] & 3) << 6 | (u[2] & 0x3F));
}

/* Whether `old`, a name in the earlier report, is the same as `name`. */
static bool same_name(const char *old, const char *name)
{
	for (; *old && *name; name++) {
		if (*old == *name) {
			old++;
		} else if (odd_byte(old) && odd_byte(old) == *name) {
			old += 3;
		} else {
			return false;
		}
	}
	return *old == *name;
}

static void print_name(const char *name, int width)
{
	size_t n;

	for (; *name; width--, name += n)
		if (px_is_control(name, &n) || odd_byte(name))
			putchar('?');
		else
			fwrite(name, 1, n, stdout);
	printf("%*s", width > 0 ? width : 0, "");
}

/* Reads the earlier report. The caller calls json_decref for *ret. */
static int load(const char *path, json_t **ret, struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = MAX_OLD};
	json_error_t err;
	json_t *old;
	PX_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : px_slurp(fd, &text);

	if (r < 0)
		return px_because(why, r, "%s: %s", path, strerror(-r));
	admit_odd_bytes((char *)text.data, (char *)text.data + text.size);
	old = json_loadb((const char *)text.data, text.size, 0, &err);
	if (!old)
		return px_because(why, -EINVAL, "%s:%d: %s", path, err.line,
				  err.text);
	if (json_integer_value(json_object_get(old, "version")) != 1 ||
	    !json_is_array(json_object_get(old, "distributions")) ||
	    !json_is_integer(
		    json_object_get(json_object_get(old, "totals"), "bytes"))) {
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

/* Returns the bytes of all distributions in the earlier report that are called
 * `name`, of which there may be several; -1 if there is none. */
static json_int_t bytes_before(const json_t *dists, const char *name)
{
	json_int_t bytes = -1;
	const json_t *d;
	size_t i;

	json_array_foreach(dists, i, d)
	{
		if (same_name(name_of(d), name))
			bytes = (bytes < 0 ? 0 : bytes) + bytes_of(d);
	}
	return bytes;
}

static json_int_t bytes_now(const struct px_report *r, const char *name)
{
	json_int_t bytes = 0;
	size_t i;

	for (i = 0; i < r->n_dists; i++)
		if (strcmp(r->dists[i].name, name) == 0)
			bytes +=
				(json_int_t)px_report_bytes(&r->dists[i].sizes);
	return bytes;
}

static bool is_listed(const struct change *all, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(all[i].name, name) == 0)
			return true;
	return false;
}

/* Returns the distributions whose size has changed, the one that has grown most
 * first. The caller frees the array. NULL: out of memory. */
static struct change *compare(const struct px_report *r, const json_t *dists,
			      size_t *ret_n)
{
	const size_t max = r->n_dists + json_array_size(dists);
	struct change *all = calloc(max + 1, sizeof(*all));
	const json_t *d;
	size_t n = 0, i;

	if (!all)
		return NULL;
	for (i = 0; i < r->n_dists; i++) {
		const char *name = r->dists[i].name;
		const json_int_t now = bytes_now(r, name);
		const json_int_t then = bytes_before(dists, name);

		if (then != now && !is_listed(all, n, name))
			all[n++] = (struct change){name, then, now};
	}
	json_array_foreach(dists, i, d)
	{
		size_t k;

		for (k = 0; k < r->n_dists; k++)
			if (same_name(name_of(d), r->dists[k].name))
				break;
		if (k == r->n_dists && !is_listed(all, n, name_of(d)))
			all[n++] = (struct change){
				name_of(d), bytes_before(dists, name_of(d)),
				-1};
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

/* Whether --max-growth allows the layer to grow from `before` to `after` bytes.
 * Logs an error if not. */
static bool allowed(const struct px_opt *o, json_int_t before, json_int_t after)
{
	const json_int_t by = after - before;
	const double percent = before > 0 ? 100.0 * (double)by / (double)before
					  : (by > 0 ? INFINITY : 0);
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

/* "3.11" of "3.11.2": what decides about the bytecode. */
static int minor_length(const char *version)
{
	const size_t major = strcspn(version, ".");

	return (int)(major + (version[major] == '.') +
		     strcspn(version + major + (version[major] == '.'), "."));
}

/* Warns if the earlier report is of bytecode that is made in another way: then
 * what changed need not be what ships. */
static void warn_of_another(const struct px_shown *s, const json_t *old)
{
	const char *python = json_string_value(json_object_get(old, "python"));
	const json_t *level = json_object_get(old, "optimize");
	PX_AUTOFREE char *shown = px_clean(python ? python : s->python);
	const int n = shown ? minor_length(shown) : 0;
	const json_int_t was = json_is_integer(level)
				       ? json_integer_value(level)
				       : s->o->optimize;

	if (!shown || (n == minor_length(s->python) &&
		       strncmp(shown, s->python, (size_t)n) == 0 &&
		       was == s->o->optimize))
		return;
	px_log(PX_LOG_WARNING,
	       "%s is of Python %.20s at level %lld, and this one of Python %s "
	       "at level %u: sizes differ for that alone",
	       s->o->diff, shown, (long long)was, s->python, s->o->optimize);
}

/* The bytes that an earlier report has for a rule; -1: it has no such rule. */
static json_int_t rule_before(const json_t *rules, const char *rule)
{
	const json_t *one;
	size_t i;

	json_array_foreach(rules, i, one)
	{
		const char *text =
			json_string_value(json_object_get(one, "rule"));

		if (text && same_name(text, rule))
			return bytes_of(one);
	}
	return -1;
}

/* Whether the report has this rule, and it decides about anything. */
static bool has_rule(const struct px_report *r, const char *rule)
{
	for (size_t i = 0; i < r->n_rules; i++)
		if ((!r->rules[i].built_in || r->rules[i].matches) &&
		    same_name(rule, r->rules[i].text))
			return true;
	return false;
}

static void print_rule(const char *rule, json_int_t before, json_int_t now,
		       bool *any)
{
	if (!*any)
		printf("\n%10s %10s  RULE, and what it decides about\n",
		       "BEFORE", "NOW");
	*any = true;
	print_bytes(before);
	print_bytes(now);
	fputs("  ", stdout);
	print_name(rule, 0);
	putchar('\n');
}

/* Prints the rules that decide about more or less than before. */
static void print_rules(const struct px_report *r, const json_t *old)
{
	const json_t *one;
	bool any = false;
	size_t i;

	for (i = 0; i < r->n_rules; i++) {
		const struct px_report_rule *rule = &r->rules[i];
		const json_int_t before = rule_before(old, rule->text);

		if ((!rule->built_in || rule->matches) &&
		    before != (json_int_t)rule->bytes)
			print_rule(rule->text, before, (json_int_t)rule->bytes,
				   &any);
	}
	json_array_foreach(old, i, one)
	{
		const char *text =
			json_string_value(json_object_get(one, "rule"));

		if (text && !has_rule(r, text))
			print_rule(text, bytes_of(one), -1, &any);
	}
}

int px_report_diff(const struct px_shown *s, struct px_why *why)
{
	const json_int_t after = (json_int_t)px_report_bytes(&s->r->total);
	struct change *changes;
	char rest[48] = "all";
	json_int_t before;
	json_t *old = NULL;
	size_t n, i, max;
	int r = load(s->o->diff, &old, why);

	if (r < 0)
		return r;
	warn_of_another(s, old);
	changes = compare(s->r, json_object_get(old, "distributions"), &n);
	if (!changes) {
		json_decref(old);
		return px_because(why, -ENOMEM, "out of memory");
	}
	before = bytes_of(json_object_get(old, "totals"));
	printf("%-32s %10s %10s  %10s\n", "DISTRIBUTION", "BEFORE", "NOW",
	       "GROWN BY");
	max = s->o->top && s->o->top < n ? s->o->top : n;
	for (i = 0; i < max; i++) {
		print_name(changes[i].name, 32);
		print_bytes(changes[i].before);
		print_bytes(changes[i].after);
		print_growth(grown(&changes[i]));
		putchar('\n');
	}
	if (max < n)
		snprintf(rest, sizeof(rest), "all, with %zu more", n - max);
	printf("%-32s", rest);
	print_bytes(before);
	print_bytes(after);
	print_growth(after - before);
	putchar('\n');
	print_rules(s->r, json_object_get(old, "rules"));
	free(changes);
	json_decref(old);
	return allowed(s->o, before, after) ? 0 : 1;
}
