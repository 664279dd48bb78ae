/* SPDX-License-Identifier: MIT */
#include "opt_table.h"
#include "opt_value.h"
#include "statement.h"

#include "pycfs/io.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>

#define MAX_MANIFEST (1u << 30) /* bytes */

/* ---------------------------------------------------------------- reading */

static int no_manifest(const char *path, const char *what, struct px_why *why)
{
	return px_because(why, -EBADMSG,
			  "%s is no manifest that pycfs export wrote: %s", path,
			  what);
}

static int copy(char **to, const json_t *from, const char *member)
{
	const char *text = json_string_value(json_object_get(from, member));

	*to = text ? strdup(text) : NULL;
	return !text ? -EBADMSG : *to ? 0 : -ENOMEM;
}

static bool take_hex(const char *text, uint8_t ret[PX_SHA256_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	if (!text || strlen(text) != (size_t)2 * PX_SHA256_SIZE)
		return false;
	for (int i = 0; i < 2 * PX_SHA256_SIZE; i++) {
		const char *digit = strchr(digits, text[i]);

		if (!digit)
			return false;
		ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | (digit - digits));
	}
	return true;
}

/* A name in the manifest is only compared, and never opened. */
static int take_subject(struct px_statement *s, const json_t *subject)
{
	const json_t *more = json_object_get(subject, "annotations");
	const char *name = json_string_value(json_object_get(subject, "name"));
	const char *source = json_string_value(json_object_get(more, "source"));
	const json_t *of = json_object_get(more, "source_sha256");
	struct px_account_file f = {
		.path = (char *)(uintptr_t)name,
		.source = source ? source : "",
		.is_link = json_is_true(json_object_get(more, "link")),
		.made = of != NULL,
	};

	if (!name ||
	    !take_hex(json_string_value(json_object_get(
			      json_object_get(subject, "digest"), "sha256")),
		      f.sha256) ||
	    (of && !take_hex(json_string_value(of), f.source_sha256)))
		return -EBADMSG;
	if (!json_is_true(json_object_get(more, "archive")))
		return px_account_add(&s->account, &f);
	if (s->archive)
		return -EBADMSG;
	memcpy(s->sha256, f.sha256, sizeof(s->sha256));
	return copy(&s->archive, subject, "name");
}

static int take_options(struct px_statement *s, json_t *options)
{
	const char *name;
	json_t *value;

	s->options =
		calloc(2 * json_object_size(options) + 1, sizeof(*s->options));
	if (!s->options)
		return -ENOMEM;
	json_object_foreach(options, name, value)
	{
		if (!json_is_string(value))
			return -EBADMSG;
		s->options[s->n_options++] = strdup(name);
		s->options[s->n_options++] = strdup(json_string_value(value));
		if (!s->options[s->n_options - 2] ||
		    !s->options[s->n_options - 1])
			return -ENOMEM;
	}
	return 0;
}

static int take_rules(struct px_statement *s, const json_t *rules)
{
	PX_AUTO(px_buf_fini) struct px_buf b = {.max = MAX_MANIFEST};
	const json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		const char *text = json_string_value(rule);

		if (!text || strchr(text, '\n'))
			return -EBADMSG;
		if (px_buf_add(&b, text, strlen(text)) < 0 ||
		    px_buf_add(&b, "\n", 1) < 0)
			return -ENOMEM;
	}
	s->rules = strndup(b.size ? (const char *)b.data : "", b.size);
	return s->rules ? 0 : -ENOMEM;
}

/* What stripped, if anything did. */
static int take_strip(struct px_statement *s, const json_t *dependencies)
{
	const json_t *strip = json_array_get(dependencies, 1);

	return strip ? copy(&s->strip, json_object_get(strip, "annotations"),
			    "version")
		     : 0;
}

static int take_predicate(struct px_statement *s, const json_t *predicate)
{
	const json_t *build = json_object_get(predicate, "buildDefinition");
	const json_t *given = json_object_get(build, "externalParameters");
	const json_t *python = json_object_get(
		json_array_get(json_object_get(build, "resolvedDependencies"),
			       0),
		"annotations");
	json_t *options = json_object_get(given, "options");
	const json_t *builder = json_object_get(
		json_object_get(predicate, "runDetails"), "builder");
	const char *type =
		json_string_value(json_object_get(build, "buildType"));
	int r = !type || strcmp(type, PX_STATEMENT_BUILD) != 0 ||
				!json_is_object(options)
			? -EBADMSG
			: copy(&s->python, python, "version");

	s->magic =
		(uint32_t)json_integer_value(json_object_get(python, "magic"));
	if (r == 0)
		r = copy(&s->canary, python, "canary");
	if (r == 0)
		r = take_strip(s,
			       json_object_get(build, "resolvedDependencies"));
	if (r == 0)
		r = copy(&s->pycfs, json_object_get(builder, "version"),
			 "pycfs");
	if (r == 0)
		r = take_options(s, options);
	return r < 0 ? r : take_rules(s, json_object_get(given, "rules"));
}

static bool is_string(const json_t *object, const char *member,
		      const char *wanted)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text && strcmp(text, wanted) == 0;
}

static int take(struct px_statement *s, const json_t *all)
{
	const json_t *subjects = json_object_get(all, "subject");
	const json_t *subject;
	size_t i;
	int r = is_string(all, "_type", PX_STATEMENT_TYPE) &&
				is_string(all, "predicateType",
					  PX_STATEMENT_PREDICATE) &&
				json_is_array(subjects)
			? take_predicate(s, json_object_get(all, "predicate"))
			: -EBADMSG;

	json_array_foreach(subjects, i, subject)
	{
		if (r == 0)
			r = take_subject(s, subject);
	}
	px_account_sort(&s->account);
	for (i = 1; i < s->account.n && r == 0; i++)
		if (strcmp(s->account.all[i - 1].path,
			   s->account.all[i].path) == 0)
			r = -EBADMSG;
	return r;
}

int px_statement_read(const char *path, struct px_statement *ret,
		      struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = MAX_MANIFEST};
	PX_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : px_slurp(fd, &text);
	json_error_t error;
	json_t *all;

	if (r < 0)
		return px_because(why, r, "%s: %s", path, strerror(-r));
	all = json_loadb((const char *)text.data, text.size,
			 JSON_REJECT_DUPLICATES, &error);
	if (!all)
		return no_manifest(path, error.text, why);
	r = take(ret, all);
	json_decref(all);
	if (r == -ENOMEM)
		return px_because(why, r, "out of memory");
	return r < 0 ? no_manifest(path,
				   "what it says of the build or of a "
				   "file is not there, or not as it is "
				   "to be",
				   why)
		     : 0;
}

void px_statement_fini(struct px_statement *s)
{
	px_account_fini(&s->account);
	for (size_t i = 0; i < s->n_options; i++)
		free(s->options[i]);
	free(s->options);
	free(s->archive);
	free(s->pycfs);
	free(s->python);
	free(s->canary);
	free(s->strip);
	free(s->rules);
	*s = (struct px_statement){0};
}

/* --------------------------------------------------------------- applying */

static int apply_option(struct px_opt *o, const char *name, const char *value,
			struct px_why *why)
{
	const struct px_opt_row *row = px_statement_row(name);
	char text[24];

	if (!row)
		return px_because(why, -EINVAL,
				  "the manifest has the option --%s, which "
				  "this pycfs does not know",
				  name);
	if (strcmp(name, "follow-links") == 0) {
		snprintf(text, sizeof(text), "%zu", o->n_follow);
		return strcmp(text, value) == 0
			       ? 0
			       : px_because(why, -EINVAL,
					    "the layer was made with %s "
					    "--follow-links: say as many, as "
					    "the manifest has no paths of the "
					    "machine that made it",
					    value);
	}
	/* Times are no bytes of a file. */
	if (strcmp(name, "mtime") == 0 || px_opt_take(o, row, value) == 0)
		return 0;
	return px_because(why, -EINVAL,
			  "the manifest has --%s '%s', which this pycfs does "
			  "not take",
			  name, value);
}

int px_statement_apply(const struct px_statement *s, struct px_opt *o,
		       struct px_why *why)
{
	const char *what = NULL;
	size_t line = 0;
	int r = 0;

	for (size_t i = 0; i < s->n_options && r == 0; i += 2)
		r = apply_option(o, s->options[i], s->options[i + 1], why);
	if (r < 0)
		return r;
	if (!o->rules && px_rules_new(&o->rules) < 0)
		return px_because(why, -ENOMEM, "out of memory");
	r = px_rules_parse(o->rules, s->rules, strlen(s->rules), &line, &what);
	if (r == -EINVAL)
		return px_because(why, r, "rule %zu of the manifest: %s", line,
				  what);
	return r < 0 ? px_because(why, r, "out of memory") : 0;
}
