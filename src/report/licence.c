/* SPDX-License-Identifier: MIT */
#include "licence.h"

#include "pycfs/text.h"

#include <ctype.h>

#define MAX_VALUE    1000 /* bytes of one header that is kept */
#define MAX_LICENCES 32	  /* of one distribution */

/* Identifiers of the SPDX licence list 3.22 that Python packages give. What is
 * not in this list becomes a name, which says no less. */
static const char *const known_ids[] = {
	"0BSD",
	"AFL-2.1",
	"AFL-3.0",
	"AGPL-3.0",
	"AGPL-3.0-only",
	"AGPL-3.0-or-later",
	"Apache-1.1",
	"Apache-2.0",
	"Artistic-1.0",
	"Artistic-2.0",
	"BlueOak-1.0.0",
	"BSD-1-Clause",
	"BSD-2-Clause",
	"BSD-2-Clause-Patent",
	"BSD-3-Clause",
	"BSD-3-Clause-Clear",
	"BSD-4-Clause",
	"BSL-1.0",
	"BUSL-1.1",
	"CC-BY-3.0",
	"CC-BY-4.0",
	"CC-BY-SA-4.0",
	"CC0-1.0",
	"CDDL-1.0",
	"CECILL-2.1",
	"CECILL-B",
	"CECILL-C",
	"CNRI-Python",
	"curl",
	"ECL-2.0",
	"EPL-1.0",
	"EPL-2.0",
	"EUPL-1.1",
	"EUPL-1.2",
	"FTL",
	"GPL-2.0",
	"GPL-2.0-only",
	"GPL-2.0-or-later",
	"GPL-3.0",
	"GPL-3.0-only",
	"GPL-3.0-or-later",
	"HPND",
	"ICU",
	"ISC",
	"LGPL-2.0-only",
	"LGPL-2.0-or-later",
	"LGPL-2.1",
	"LGPL-2.1-only",
	"LGPL-2.1-or-later",
	"LGPL-3.0",
	"LGPL-3.0-only",
	"LGPL-3.0-or-later",
	"MIT",
	"MIT-0",
	"MIT-CMU",
	"MPL-1.1",
	"MPL-2.0",
	"MS-PL",
	"MulanPSL-2.0",
	"NCSA",
	"OFL-1.1",
	"OpenSSL",
	"OSL-3.0",
	"PostgreSQL",
	"PSF-2.0",
	"Python-2.0",
	"Python-2.0.1",
	"Unicode-DFS-2016",
	"Unlicense",
	"UPL-1.0",
	"Vim",
	"W3C",
	"WTFPL",
	"X11",
	"Zlib",
	"ZPL-2.0",
	"ZPL-2.1",
};

/* The last parts of the classifiers that stand for one licence of SPDX. Others,
 * such as "BSD License" and "Apache Software License", stand for several. */
static const struct {
	const char *classifier, *id;
} classifiers[] = {
	{"Boost Software License 1.0 (BSL-1.0)", "BSL-1.0"},
	{"CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"},
	{"Eclipse Public License 1.0 (EPL-1.0)", "EPL-1.0"},
	{"Eclipse Public License 2.0 (EPL-2.0)", "EPL-2.0"},
	{"European Union Public Licence 1.1 (EUPL 1.1)", "EUPL-1.1"},
	{"European Union Public Licence 1.2 (EUPL 1.2)", "EUPL-1.2"},
	{"GNU Affero General Public License v3 or later (AGPLv3+)",
	 "AGPL-3.0-or-later"},
	{"GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"},
	{"GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"},
	{"GNU Lesser General Public License v2 or later (LGPLv2+)",
	 "LGPL-2.0-or-later"},
	{"GNU Lesser General Public License v3 or later (LGPLv3+)",
	 "LGPL-3.0-or-later"},
	{"ISC License (ISCL)", "ISC"},
	{"MIT License", "MIT"},
	{"MIT No Attribution License (MIT-0)", "MIT-0"},
	{"Mozilla Public License 1.1 (MPL 1.1)", "MPL-1.1"},
	{"Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"},
	{"PostgreSQL License", "PostgreSQL"},
	{"Python Software Foundation License", "PSF-2.0"},
	{"The Unlicense (Unlicense)", "Unlicense"},
	{"Universal Permissive License (UPL)", "UPL-1.0"},
	{"zlib/libpng License", "Zlib"},
};

static const char *id_of(const char *text)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(known_ids); i++)
		if (strcasecmp(known_ids[i], text) == 0)
			return known_ids[i];
	return NULL;
}

static const char *id_of_classifier(const char *last)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(classifiers); i++)
		if (strcmp(classifiers[i].classifier, last) == 0)
			return classifiers[i].id;
	return NULL;
}

/* -------------------------------------------------------------- headers */

struct headers {
	const char *at, *end;
};

/* One header: its key as it is, and the first line of its value without spaces
 * at its ends. */
struct header {
	const char *key;
	size_t n_key;
	const char *value;
	size_t n_value;
	bool goes_on; /* the value has further lines */
};

static const char *end_of_line(const struct headers *h)
{
	const char *end = memchr(h->at, '\n', (size_t)(h->end - h->at));

	return end ? end : h->end;
}

static bool next_header(struct headers *h, struct header *ret)
{
	const char *end, *colon;

	if (h->at == h->end)
		return false;
	end = end_of_line(h);
	colon = memchr(h->at, ':', (size_t)(end - h->at));
	/* The empty line, or none of metadata at all. */
	if (!colon)
		return false;
	*ret = (struct header){.key = h->at, .n_key = (size_t)(colon - h->at)};
	ret->value = colon + 1;
	ret->n_value = (size_t)(end - ret->value);
	while (ret->n_value > 0 && isspace((unsigned char)*ret->value)) {
		ret->value++;
		ret->n_value--;
	}
	while (ret->n_value > 0 &&
	       isspace((unsigned char)ret->value[ret->n_value - 1]))
		ret->n_value--;
	for (h->at = end < h->end ? end + 1 : end;
	     h->at < h->end && (*h->at == ' ' || *h->at == '\t');
	     h->at = end < h->end ? end + 1 : end) {
		ret->goes_on = true;
		end = end_of_line(h);
	}
	return true;
}

static bool is_key(const struct header *h, const char *key)
{
	return h->n_key == strlen(key) &&
	       strncasecmp(h->key, key, h->n_key) == 0;
}

/* The value as text that can be shown, which the caller frees. NULL: no memory.
 */
static char *value_of(const struct header *h)
{
	const size_t n = h->n_value < MAX_VALUE ? h->n_value : MAX_VALUE;
	PX_AUTOFREE char *value = strndup(h->value, n);

	return value ? px_clean(value) : NULL;
}

/* ------------------------------------------------------------- licences */

/* Adds a licence, unless it has no name, or is there already. */
static int add(struct px_sbom_part *p, enum px_licence_kind kind,
	       const char *text)
{
	struct px_sbom_licence *all;

	if (!*text || p->n_licences == MAX_LICENCES)
		return 0;
	for (size_t i = 0; i < p->n_licences; i++)
		if (strcmp(p->licences[i].text, text) == 0)
			return 0;
	all = reallocarray(p->licences, p->n_licences + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	p->licences = all;
	all[p->n_licences].kind = kind;
	all[p->n_licences].text = strdup(text);
	if (!all[p->n_licences].text)
		return -ENOMEM;
	p->n_licences++;
	return 0;
}

static void drop_licences(struct px_sbom_part *p)
{
	for (size_t i = 0; i < p->n_licences; i++)
		free(p->licences[i].text);
	p->n_licences = 0;
}

/* Whether the text has only what an expression of SPDX can have: identifiers,
 * words between them, and parentheses in pairs. */
static bool is_expression(const char *s)
{
	int depth = 0;

	if (!isalnum((unsigned char)*s) && *s != '(')
		return false;
	for (; *s && depth >= 0; s++) {
		depth += (*s == '(') - (*s == ')');
		if (!isalnum((unsigned char)*s) && !strchr(" ()-.+:", *s))
			return false;
	}
	return depth == 0;
}

static int add_expression(struct px_sbom_part *p, const char *text)
{
	const char *id = id_of(text);

	drop_licences(p);
	return id		     ? add(p, PX_LICENCE_ID, id)
	       : is_expression(text) ? add(p, PX_LICENCE_EXPRESSION, text)
				     : add(p, PX_LICENCE_NAME, text);
}

/* Of "License: ..."; many packages have their licence's whole text there, of
 * which the first line tells the least. */
static int add_licence(struct px_sbom_part *p, const char *text, bool goes_on)
{
	const char *id = id_of(text);

	if (!*text || goes_on || strcasecmp(text, "UNKNOWN") == 0)
		return 0;
	return add(p, id ? PX_LICENCE_ID : PX_LICENCE_NAME, id ? id : text);
}

/* Of "Classifier: License :: OSI Approved :: MIT License". */
static int add_classifier(struct px_sbom_part *p, const char *text)
{
	static const char begin[] = "License :: ";
	const char *last = text, *next, *id;

	if (strncmp(text, begin, strlen(begin)) != 0)
		return 0;
	while ((next = strstr(last, " :: ")))
		last = next + strlen(" :: ");
	if (strcmp(last, "OSI Approved") == 0)
		return 0;
	id = id_of_classifier(last);
	return add(p, id ? PX_LICENCE_ID : PX_LICENCE_NAME, id ? id : last);
}

/* ------------------------------------------------------ name and version */

/* As PyPA has names of projects and versions, or more. */
static bool is_plain(const char *text, const char *also)
{
	if (!isalnum((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(also, *text))
			return false;
	return true;
}

/* Puts *value in the place of *old if it is a plain one. */
static void take(char **old, char **value, const char *also)
{
	if (!is_plain(*value, also))
		return;
	free(*old);
	*old = PX_STEAL(*value);
}

int px_licence_read(const char *text, size_t n, struct px_sbom_part *p)
{
	struct headers all = {text, text + n};
	struct header h;
	bool is_said = false; /* by an expression, which stands alone */
	int r = 0;

	while (r == 0 && next_header(&all, &h)) {
		PX_AUTOFREE char *value = value_of(&h);

		if (!value)
			return -ENOMEM;
		if (is_key(&h, "Name")) {
			take(&p->name, &value, "._-");
		} else if (is_key(&h, "Version")) {
			take(&p->version, &value, ".!+_-");
		} else if (is_key(&h, "License-Expression") && *value) {
			is_said = true;
			r = add_expression(p, value);
		} else if (is_key(&h, "License") && !is_said) {
			r = add_licence(p, value, h.goes_on);
		} else if (is_key(&h, "Classifier") && !is_said) {
			r = add_classifier(p, value);
		}
	}
	return r;
}
