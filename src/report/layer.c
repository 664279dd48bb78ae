/* SPDX-License-Identifier: MIT */
/*
 * Risks that no module has by itself: what the layer as a whole lacks, or has
 * for another Python.
 */
#include "report_i.h"

#include "pycfs/mark.h"
#include "pycfs/native.h"

#include <stdio.h>

/* Bytes of an entry_points.txt; a larger one is none. */
#define POINTS_MAX (1u << 20)

/* Adds a risk with strings of its own. */
static int add(struct px_report *r, size_t file, const char *path,
	       unsigned line, unsigned grade, const char *rule, char *reason,
	       const char *detail, const char *remedy)
{
	const struct px_report_risk k = {
		.path = path,
		.line = line,
		.grade = grade,
		.rule = rule,
		.reason = px_report_own(r, reason),
		.detail = px_report_own(r, strdup(detail)),
		.remedy = px_report_own(r, strdup(remedy)),
	};

	return k.reason && k.detail && k.remedy
		       ? px_report_add_risk(r, file, &k)
		       : -ENOMEM;
}

/* "is WHAT, as a sentence goes on"; the caller frees it. */
static char *say(const char *begin, const char *what, const char *end)
{
	char *text;

	return asprintf(&text, "%s%s%s", begin, what, end) < 0 ? NULL : text;
}

/* --------------------------------------------------------------- imports */

/* Adds a risk if the layer lacks the module. Returns whether it does, or
 * -ENOMEM. */
static int try_import(struct px_report *r, const struct px_modules *m,
		      size_t file, unsigned line, unsigned grade,
		      const char *name, size_t n)
{
	const struct px_hidden_module *h = px_modules_find_hidden(m, name, n);
	int err;

	if (!h)
		return 0;
	if (grade > 2 && px_modules_is_apart(m, h->name))
		grade = 2;
	err = add(r, file, r->files[file].source, line, grade, "hidden-import",
		  say("imports ", h->name, ", which is not shipped"), h->name,
		  h->rule);
	return err < 0 ? err : 1;
}

/* Tries "a.b:c,d": the module a.b, and then a.b.c and a.b.d. */
static int try_item(struct px_report *r, const struct px_modules *m,
		    size_t file, unsigned line, unsigned grade,
		    const char *item, size_t n)
{
	const char *colon = memchr(item, ':', n), *end = item + n;
	const size_t n_base = colon ? (size_t)(colon - item) : n;
	PX_AUTO(px_buf_fini) struct px_buf name = {.max = SIZE_MAX};
	int err = try_import(r, m, file, line, grade, item, n_base);

	for (const char *p = colon; p && p < end && err == 0;) {
		const char *from = p + 1, *comma;

		comma = memchr(from, ',', (size_t)(end - from));
		p = comma ? comma : end;
		name.size = 0;
		err = px_buf_add(&name, item, n_base);
		if (err == 0 && n_base > 0)
			err = px_buf_add(&name, ".", 1);
		if (err == 0)
			err = px_buf_add(&name, from, (size_t)(p - from));
		if (err == 0)
			err = try_import(r, m, file, line, grade,
					 (const char *)name.data, name.size);
		err = err == 1 ? 0 : err;
	}
	return err < 0 ? err : 0;
}

int px_report_find_imports(struct px_report *r, const struct px_modules *m,
			   size_t file, unsigned most, const char *list)
{
	int err = 0;

	/* Each is LINE, "!" if it is done in any case, else "?", and the
	 * names. */
	while (*list && err == 0) {
		const size_t n = strcspn(list, " ");
		char *mark;
		const unsigned line = (unsigned)strtoul(list, &mark, 10);
		const unsigned grade = *mark == '!' ? 3 : 2;

		if (mark < list + n)
			err = try_item(r, m, file, line,
				       grade < most ? grade : most, mark + 1,
				       n - (size_t)(mark + 1 - list));
		list += n;
		list += strspn(list, " ");
	}
	return err;
}

/* ---------------------------------------------------------- entry points */

/* One line of an entry_points.txt: NAME = MODULE:OBJECT [extras]. */
static int try_point(struct px_report *r, const struct px_modules *m,
		     size_t file, unsigned line, const char *p, const char *end)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
	const char *equal = memchr(p, '=', (size_t)(end - p));
	const struct px_hidden_module *h;
	const char *from, *to;

	if (p == end || *p == '#' || *p == ';' || *p == '[' || !equal)
		return 0;
	for (from = equal + 1; from < end && (*from == ' ' || *from == '\t');)
		from++;
	for (to = from; to < end && memchr(name, *to, sizeof(name) - 1);)
		to++;
	h = px_modules_find_hidden(m, from, (size_t)(to - from));
	if (!h)
		return 0;
	return add(r, file, r->files[file].source, line,
		   px_modules_is_apart(m, h->name) ? 2 : 3,
		   "hidden-entry-point",
		   say("has an entry point in ", h->name,
		       ", which is not shipped"),
		   h->name, h->rule);
}

static int look_at_points(struct px_report *r,
			  const struct px_report_options *o,
			  const struct px_modules *m, size_t file)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = POINTS_MAX};
	const char *p, *end, *stop;
	struct px_stat st;
	unsigned line = 1;
	int err = 0;

	if (px_tree_read(o->tree, r->files[file].source, &text, &st) < 0 ||
	    text.size == 0)
		return 0;
	p = (const char *)text.data;
	stop = p + text.size;
	for (; p < stop && err == 0; p = end + 1, line++) {
		end = memchr(p, '\n', (size_t)(stop - p));
		end = end ? end : stop;
		err = try_point(r, m, file, line, p, end);
	}
	return err;
}

/* --------------------------------------------------- for another Python */

/* The directory and the first part of a native module's name, by which it is
 * imported. */
static uint64_t hash_of_native(const char *path)
{
	const char *file = px_path_name(path);

	return px_hash64(0, path, (size_t)(file - path) + strcspn(file, "."));
}

static void wanted_version(const struct px_python *py, char ret[24])
{
	snprintf(ret, 24, "3.%u%s", py->hexversion >> 16 & 255,
		 py->free_threaded ? "t" : "");
}

/* e_machine of a file's ELF header, in the byte order that EI_DATA in it names
 * (elf.h; System V ABI, chapter 4); 0: it is no such file. */
static unsigned machine_of(struct px_tree *t, const char *path)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	uint8_t head[20];

	if (px_tree_open_file(t, path, &fd, &st) < 0 ||
	    pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head, "\177ELF", 4) != 0)
		return 0;
	return head[5] == 2 ? (unsigned)head[18] << 8 | head[19]
			    : (unsigned)head[19] << 8 | head[18];
}

struct natives {
	struct px_set fit;    /* hash_of_native of those for this Python */
	unsigned *machine;    /* by file */
	unsigned usual;	      /* the machine of most */
	unsigned count[1024]; /* files, by machine */
};

static bool is_native_module(const struct px_report_file *f)
{
	return f->kind == PX_KIND_FILE && px_ends_in(f->source, ".so") &&
	       px_mark_is_module(px_path_name(f->source));
}

static void survey(struct px_report *r, const struct px_report_options *o,
		   struct natives *n)
{
	char wanted[24], version[24];

	wanted_version(o->python, wanted);
	for (size_t i = 0; i < r->n_files; i++) {
		const char *path = r->files[i].source;
		unsigned machine;

		if (!is_native_module(&r->files[i]))
			continue;
		if (!px_native_version(px_path_name(path), version) ||
		    strcmp(version, wanted) == 0)
			px_set_add(&n->fit, hash_of_native(path));
		machine = machine_of(o->tree, path);
		n->machine[i] = machine;
		if (machine > 0 && machine < PX_ARRAY_LEN(n->count) &&
		    ++n->count[machine] > n->count[n->usual])
			n->usual = machine;
	}
}

static int judge_native(struct px_report *r, const struct natives *n,
			size_t file, const char *wanted)
{
	const char *path = r->files[file].source;
	const unsigned machine = n->machine[file];
	char version[24], number[16];

	if (px_native_version(px_path_name(path), version) &&
	    strcmp(version, wanted) != 0)
		return px_set_has(&n->fit, hash_of_native(path))
			       ? 0
			       : add(r, file, path, 0, 3, "foreign-extension",
				     say("is a native module for Python ",
					 version, ""),
				     version, "");
	if (machine == 0 || machine == n->usual)
		return 0;
	snprintf(number, sizeof(number), "%u", machine);
	return add(r, file, path, 0, 3, "foreign-extension",
		   say("is for another machine than the other native modules "
		       "(ELF machine ",
		       number, ")"),
		   number, "");
}

static int look_at_natives(struct px_report *r,
			   const struct px_report_options *o)
{
	struct natives *n;
	char wanted[24];
	bool any = false;
	int err = 0;

	for (size_t i = 0; i < r->n_files && !any; i++)
		any = is_native_module(&r->files[i]);
	if (!any)
		return 0;
	n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->machine = calloc(r->n_files + 1, sizeof(*n->machine));
	if (!n->machine) {
		free(n);
		return -ENOMEM;
	}
	survey(r, o, n);
	wanted_version(o->python, wanted);
	for (size_t i = 0; i < r->n_files && err == 0; i++)
		if (is_native_module(&r->files[i]))
			err = judge_native(r, n, i, wanted);
	px_set_fini(&n->fit);
	free(n->machine);
	free(n);
	return err;
}

/* Bytecode that SOURCE has without its source, and that ships as it is. */
static int look_at_bytecode(struct px_report *r,
			    const struct px_report_options *o, size_t file)
{
	const char *path = r->files[file].source;
	PX_AUTOCLOSE int fd = -1;
	uint8_t magic[4];
	struct px_stat st;

	if (px_tree_open_file(o->tree, path, &fd, &st) < 0 ||
	    (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	     px_get_le32(magic) == o->python->magic))
		return 0;
	return add(r, file, path, 0, 3, "foreign-bytecode",
		   strdup("is bytecode of another Python"), "", "");
}

static int add_fault(struct px_report *r, const struct px_report_fault *f)
{
	PX_AUTOFREE char *text =
		strndup((const char *)f->why->data, f->why->size);
	PX_AUTOFREE char *first =
		text ? strndup(text, strcspn(text, "\n")) : NULL;

	if (!first)
		return -ENOMEM;
	return add(r, PX_NO_FILE, f->path, f->why->line, 3,
		   PX_REPORT_NOT_COMPILED, say("does not compile: ", first, ""),
		   first, "");
}

int px_report_look_at_layer(struct px_report *r,
			    const struct px_report_options *o,
			    const struct px_modules *m)
{
	int err = look_at_natives(r, o);

	for (size_t i = 0; i < r->n_faults && err == 0; i++)
		err = add_fault(r, &r->faults[i]);
	for (size_t i = 0; i < r->n_files && err == 0; i++) {
		const struct px_report_file *f = &r->files[i];

		if (f->kind != PX_KIND_FILE)
			continue;
		if (px_ends_in(f->source, "-info/entry_points.txt"))
			err = look_at_points(r, o, m, i);
		else if (px_ends_in(f->source, ".pyc") &&
			 !strstr(f->source, "__pycache__/"))
			err = look_at_bytecode(r, o, i);
	}
	return err;
}
