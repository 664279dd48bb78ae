/* SPDX-License-Identifier: MIT */
/* Input: a verb and its arguments, with NUL bytes between. */
#include "fuzz.h"
#include "pycfs/opt.h"

#define MAX_ARGS 32

static const struct px_verb verbs[] = {
	{"mount", PX_VERB_MOUNT, NULL, 2, 2, "", "", ""},
	{"run", PX_VERB_RUN, NULL, 3, -1, "", "", ""},
	{"umount", PX_VERB_UMOUNT, NULL, 1, 1, "", "", ""},
	{"export", PX_VERB_EXPORT, NULL, 2, 2, "", "", ""},
	{"report", PX_VERB_REPORT, NULL, 1, 1, "", "", ""},
	{"cache", PX_VERB_CACHE, NULL, 1, 1, "", "", ""},
};

static const struct px_verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(verbs) - 1; i++)
		if (strcmp(name, verbs[i].name) == 0)
			break;
	return &verbs[i];
}

static void check(const struct px_opt *o, const struct px_verb *v)
{
	MUST(o->optimize <= 2 && o->jobs <= 1024);
	MUST(o->timeout_ms <= 86400000 && o->cache_size > 0);
	MUST(o->uid >= -1 && o->gid >= -1 && o->mtime >= -1);
	MUST(o->fuse_options && o->prefix && o->prefix_dir);
	MUST(o->help || o->n_args >= v->min_args);
	MUST(o->help || v->max_args < 0 || o->n_args <= v->max_args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[MAX_ARGS + 1] = {NULL};
	char *text = malloc(size + 1);
	const struct px_verb *verb;
	struct px_why why = {""};
	struct px_opt o;
	int argc = 0, r;

	MUST(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t at = 0; at <= size && argc < MAX_ARGS;
	     at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	verb = find_verb(argv[0]);
	r = px_opt_parse(&o, verb, size % 7 == 0, argc, argv, &why);
	MUST(r == 0 || r == -EINVAL || r == -ENOMEM);
	if (r == 0)
		check(&o, verb);
	else
		MUST(*why.text);
	px_opt_fini(&o);
	free(text);
	return 0;
}
