/* SPDX-License-Identifier: MIT */
#include "opt_wrong.h"
#include "near.h"

#include <limits.h>
#include <stdio.h>

#define MAX_NAMED 4 /* options that a sentence lists */

static bool takes(const struct px_opt_row *row, const struct px_verb *verb)
{
	return row->verbs & (unsigned)verb->bit;
}

/* The options of `verb` that begin with these `n` bytes, as a list; their
 * number. */
static size_t list_prefixed(const struct px_verb *verb, const char *name,
			    size_t n, char list[256])
{
	size_t found = 0, used = 0;

	list[0] = '\0';
	for (size_t i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];

		if (!takes(row, verb) || strncmp(row->name, name, n) != 0)
			continue;
		if (++found <= MAX_NAMED)
			used += (size_t)snprintf(
				list + used, 256 - used, "%s--%s",
				found > 1 ? " or " : "", row->name);
	}
	return found;
}

static const struct px_opt_row *find_near(const struct px_verb *verb,
					  const char *name)
{
	const struct px_opt_row *ret = NULL;
	unsigned best = UINT_MAX;

	for (size_t i = 0; i < PX_N_OPTS; i++)
		if (takes(&px_opt_rows[i], verb) &&
		    px_is_near(name, px_opt_rows[i].name, &best))
			ret = &px_opt_rows[i];
	return ret;
}

static int unknown_long(const struct px_verb *verb, const char *said,
			struct px_why *why)
{
	PX_AUTOFREE char *name = strdup(said + 2);
	const struct px_opt_row *near;
	char list[256];
	size_t n;

	if (!name)
		return px_because(why, -EINVAL, "unknown option '%s'", said);
	name[strcspn(name, "=")] = '\0';
	n = list_prefixed(verb, name, strlen(name), list);
	if (n > 1)
		return px_because(why, -EINVAL, "ambiguous option '--%s': %s%s",
				  name, list,
				  n > MAX_NAMED ? ", or others" : "");
	if (n == 1)
		return px_because(why, -EINVAL,
				  "option '%s': %s takes no value (see 'pycfs "
				  "%s --help')",
				  said, list, verb->name);
	near = find_near(verb, name);
	return px_because(why, -EINVAL,
			  "unknown option '--%s'%s%s%s (see 'pycfs %s --help')",
			  name, near ? ": did you mean --" : "",
			  near ? near->name : "", near ? "?" : "", verb->name);
}

int px_opt_unknown(const struct px_verb *verb, const char *said,
		   struct px_why *why)
{
	if (strncmp(said, "--", 2) == 0)
		return unknown_long(verb, said, why);
	return px_because(why, -EINVAL,
			  "unknown option '%s' (see 'pycfs %s --help')", said,
			  verb->name);
}

int px_opt_missing(const struct px_verb *verb, int n, struct px_why *why)
{
	const char *word = verb->arguments;
	size_t size = strcspn(word, " ");

	while (n > 0 && word[size]) {
		word += size + 1;
		size = strcspn(word, " ");
		/* What may be left out is not what is missing. */
		n -= *word != '[' && *word != '-';
	}
	while (size > 0 && word[size - 1] == '.')
		size--;
	return px_because(why, -EINVAL,
			  "missing argument %.*s: pycfs %s [options] %s",
			  (int)size, word, verb->name, verb->arguments);
}

int px_verb_unknown(const struct px_verb *verbs, size_t n, const char *said,
		    struct px_why *why)
{
	const char *near = NULL;
	unsigned best = UINT_MAX;

	for (size_t i = 0; i < n; i++)
		if (px_is_near(said, verbs[i].name, &best))
			near = verbs[i].name;
	return px_because(why, -EINVAL,
			  "unknown verb '%s'%s%s%s (see 'pycfs --help')", said,
			  near ? ": did you mean " : "", near ? near : "",
			  near ? "?" : "");
}
