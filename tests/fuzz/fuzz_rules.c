/* SPDX-License-Identifier: MIT */
/* Input: a rules file, a NUL byte, a path. */
#include "fuzz.h"
#include "pycfs/rules.h"

struct answers {
	bool hidden_file;
	bool hidden_dir;
	bool kept;
	unsigned level;
};

static struct answers ask(const struct px_rules *r, const char *path)
{
	return (struct answers){
		px_rules_excluded(r, path, false),
		px_rules_excluded(r, path, true),
		px_rules_keep_source(r, path),
		px_rules_optimize(r, path, 7),
	};
}

static void check(const struct px_rules *r, const char *path)
{
	const struct answers a = ask(r, path), b = ask(r, path);

	MUST(a.hidden_file == b.hidden_file && a.hidden_dir == b.hidden_dir);
	MUST(a.kept == b.kept && a.level == b.level);
	MUST(a.level <= 2 || a.level == 7);
	MUST(px_rules_hide(r) || (!a.hidden_file && !a.hidden_dir));
}

/* The same rules, each added twice: last match wins, so nothing changes. */
static void check_twice(const uint8_t *text, size_t n, const char *path,
			const struct answers *once)
{
	struct px_rules *r;
	struct answers a;
	const char *what;
	size_t line;

	MUST(px_rules_new(&r) == 0);
	MUST(px_rules_parse(r, (const char *)text, n, &line, &what) == 0);
	MUST(px_rules_parse(r, (const char *)text, n, &line, &what) == 0);
	a = ask(r, path);
	MUST(a.hidden_file == once->hidden_file);
	MUST(a.hidden_dir == once->hidden_dir);
	MUST(a.kept == once->kept && a.level == once->level);
	px_rules_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
	const size_t n = nul ? (size_t)(nul - data) : size;
	const size_t n_path = nul ? size - n - 1 : 0;
	uint8_t *text = fuzz_copy(data, n);
	char *path = calloc(1, n_path + 2);
	const char *what = NULL;
	struct answers once;
	struct px_rules *r;
	size_t line = 0;
	int err;

	MUST(path && px_rules_new(&r) == 0);
	if (n_path > 0)
		memcpy(path, nul + 1, n_path);
	if (path[0] == '\0' || path[0] == '/')
		path[0] = 'x';
	err = px_rules_parse(r, (const char *)text, n, &line, &what);
	MUST(err == 0 || err == -EINVAL);
	MUST((err < 0) == (what != NULL));
	MUST((err < 0) == (line > 0));
	check(r, path);
	if (err == 0) {
		once = ask(r, path);
		check_twice(text, n, path, &once);
	}
	px_rules_free(r);
	free(path);
	free(text);
	return 0;
}
