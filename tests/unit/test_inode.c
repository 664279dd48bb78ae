/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/inode.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>

static const struct px_view_options no_rules = {.cache_tag = "cpython-312"};

static const struct px_entry dir_a = {"a", "a", PX_KIND_DIR, NULL};
static const struct px_entry dir_b = {"b", "b", PX_KIND_DIR, NULL};
static const struct px_entry module_m = {"m.pyc", "m.py", PX_KIND_MODULE, NULL};
static const struct px_entry file_m = {"m.pyc", "m.pyc", PX_KIND_FILE, NULL};
static const struct px_entry module_m2 = {"m.pyc", "M.py", PX_KIND_MODULE,
					  NULL};

static int setup(void **state)
{
	struct px_inodes *t;

	if (px_inodes_new(&t) < 0)
		return -1;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	px_inodes_free(*state);
	return 0;
}

static uint64_t enter(struct px_inodes *t, uint64_t parent,
		      const struct px_entry *e)
{
	uint64_t id = 0;

	assert_int_equal(px_inodes_enter(t, parent, e, 0, &id), 0);
	return id;
}

static void check(struct px_inodes *t, uint64_t id, enum px_kind kind,
		  const char *path)
{
	struct px_inode i;

	assert_int_equal(px_inodes_get(t, id, &i), 0);
	assert_true(i.id == id);
	assert_int_equal(i.kind, kind);
	assert_string_equal(i.path, path);
	free(i.path);
}

static bool is_gone(struct px_inodes *t, uint64_t id)
{
	struct px_inode i;
	int r = px_inodes_get(t, id, &i);

	if (r == 0)
		free(i.path);
	else
		assert_int_equal(r, -ESTALE);
	return r != 0;
}

static void test_root(void **state)
{
	struct px_inodes *t = *state;
	struct px_inode i;

	check(t, PX_INODE_ROOT, PX_KIND_DIR, "");
	assert_int_equal(px_inodes_get(t, PX_INODE_ROOT, &i), 0);
	assert_true(i.number == PX_INODE_ROOT);
	free(i.path);
	px_inodes_forget(t, PX_INODE_ROOT, 1000);
	check(t, PX_INODE_ROOT, PX_KIND_DIR, "");
	assert_int_equal(px_inodes_count(t), 1);
	assert_true(is_gone(t, 0));
	assert_true(is_gone(t, 2));
	assert_true(is_gone(t, UINT64_MAX));
	px_inodes_free(NULL);
}

static void test_enter_and_paths(void **state)
{
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	uint64_t b = enter(t, a, &dir_b);
	uint64_t m = enter(t, b, &module_m);
	uint64_t top = enter(t, PX_INODE_ROOT, &module_m);

	check(t, a, PX_KIND_DIR, "a");
	check(t, b, PX_KIND_DIR, "a/b");
	check(t, m, PX_KIND_MODULE, "a/b/m.py");
	check(t, top, PX_KIND_MODULE, "m.py");
	assert_true(enter(t, b, &module_m) == m);
	assert_true(enter(t, a, &dir_b) == b);
	assert_true(m != top && a != b);
	assert_int_equal(px_inodes_count(t), 5);
	assert_int_equal(px_inodes_enter(t, 999, &dir_a, 0, &a), -ESTALE);
}

static void test_lookup_counts(void **state)
{
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);

	for (int i = 0; i < 4; i++)
		assert_true(enter(t, PX_INODE_ROOT, &dir_a) == a);
	px_inodes_forget(t, a, 2);
	px_inodes_forget(t, a, 2);
	assert_false(is_gone(t, a));
	px_inodes_forget(t, a, 1);
	assert_true(is_gone(t, a));
	assert_int_equal(px_inodes_count(t), 1);
	px_inodes_forget(t, a, 1);
	assert_true(enter(t, PX_INODE_ROOT, &dir_a) > a);
}

static void test_forget_too_much(void **state)
{
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	uint64_t b = enter(t, a, &dir_b);

	px_inodes_forget(t, a, UINT64_MAX);
	check(t, b, PX_KIND_DIR, "a/b");
	/* It starts again from none, not from below. */
	assert_true(enter(t, PX_INODE_ROOT, &dir_a) == a);
	px_inodes_forget(t, b, 1);
	assert_false(is_gone(t, a));
	px_inodes_forget(t, a, 1);
	assert_true(is_gone(t, a));
}

static void test_children_keep_parents(void **state)
{
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	uint64_t b = enter(t, a, &dir_b);
	uint64_t m = enter(t, b, &module_m);

	px_inodes_forget(t, b, 1);
	px_inodes_forget(t, a, 1);
	check(t, m, PX_KIND_MODULE, "a/b/m.py");
	/* Kept by its child, it is still found by name. */
	assert_true(enter(t, PX_INODE_ROOT, &dir_a) == a);
	px_inodes_forget(t, m, 1);
	assert_true(is_gone(t, m));
	assert_true(is_gone(t, b));
	assert_false(is_gone(t, a));
	px_inodes_forget(t, a, 1);
	assert_int_equal(px_inodes_count(t), 1);
}

static void test_changed_entries_get_new_ids(void **state)
{
	struct px_inodes *t = *state;
	uint64_t module = enter(t, PX_INODE_ROOT, &module_m);
	uint64_t file = enter(t, PX_INODE_ROOT, &file_m);
	uint64_t other = enter(t, PX_INODE_ROOT, &module_m2);

	assert_true(module < file && file < other);
	check(t, module, PX_KIND_MODULE, "m.py");
	check(t, file, PX_KIND_FILE, "m.pyc");
	check(t, other, PX_KIND_MODULE, "M.py");
	/* Forgetting an old one leaves the name to the current one. */
	px_inodes_forget(t, module, 1);
	px_inodes_forget(t, file, 1);
	assert_true(enter(t, PX_INODE_ROOT, &module_m2) == other);
	module = enter(t, PX_INODE_ROOT, &module_m);
	assert_true(module > other);
	assert_int_equal(px_inodes_count(t), 3);
	/* Nor does the name go back to an old one. */
	px_inodes_forget(t, module, 1);
	assert_true(enter(t, PX_INODE_ROOT, &module_m2) > module);
}

static void test_replaced_directory_keeps_its_children(void **state)
{
	static const struct px_entry file_a = {"a", "a", PX_KIND_FILE, NULL};
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	uint64_t m = enter(t, a, &module_m);
	uint64_t file = enter(t, PX_INODE_ROOT, &file_a);
	uint64_t again = enter(t, PX_INODE_ROOT, &dir_a);

	assert_true(again != a && again != file);
	check(t, m, PX_KIND_MODULE, "a/m.py");
	assert_true(enter(t, again, &module_m) != m);
	px_inodes_forget(t, a, 1);
	px_inodes_forget(t, m, 1);
	assert_true(is_gone(t, a));
	assert_false(is_gone(t, again));
}

static void test_numbers(void **state)
{
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	uint64_t m = enter(t, a, &module_m);
	uint64_t first = px_inode_number(PX_INODE_ROOT, "a");
	struct px_inode i;

	assert_int_equal(px_inodes_get(t, m, &i), 0);
	free(i.path);
	assert_true(i.number == px_inode_number(first, "m.pyc"));
	px_inodes_forget(t, m, 1);
	px_inodes_forget(t, a, 1);
	/* New ids, the same numbers. */
	a = enter(t, PX_INODE_ROOT, &dir_a);
	assert_int_equal(px_inodes_get(t, a, &i), 0);
	free(i.path);
	assert_true(i.number == first);
	assert_true(first != px_inode_number(first, "a"));
	assert_true(first != px_inode_number(PX_INODE_ROOT, "b"));
	assert_true(first > PX_INODE_ROOT);
}

/* Whoever goes by inode numbers goes in order of names, as compiling ahead
 * does. */
static void test_numbers_are_in_order(void **state PX_UNUSED)
{
	static const char *const names[] = {
		"",	    "\x01",	    "1",
		"A",	    "__init__.pyc", "__main__.pyc",
		"a",	    "ab",	    "b",
		"best",	    "numpy",	    "pip",
		"sympy",    "zope",	    "~",
		"\xc3\xa9", "\xff\xff",
	};
	uint64_t last = PX_INODE_ROOT;

	for (size_t i = 0; i < PX_ARRAY_LEN(names); i++) {
		uint64_t n = px_inode_number(PX_INODE_ROOT, names[i]);

		assert_true(n > last);
		last = n;
		/* The same name elsewhere is another's. */
		assert_true(n != px_inode_number(12345, names[i]));
	}
}

static struct px_view *make_view(const char *name)
{
	struct px_name names[] = {{.name = name, .type = PX_TYPE_REG}};
	struct px_listing l = {.n = 1, .names = names};
	struct px_view *v;

	assert_int_equal(px_view_new(&l, "", &no_rules, &v), 0);
	return v;
}

static void test_views(void **state)
{
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	struct px_fingerprint fp = {.dev = 1, .ino = 2, .mtime_ns = 3};
	struct px_fingerprint got;
	struct px_view *v = make_view("x.py");
	struct px_view *w = make_view("y.py");
	struct px_view *back;

	assert_int_equal(px_inodes_get_view(t, a, &back, &got), -ENOENT);
	px_inodes_set_view(t, a, v, &fp);
	px_view_unref(v);
	assert_int_equal(px_inodes_get_view(t, a, &back, &got), 0);
	assert_ptr_equal(back, v);
	assert_true(px_fingerprint_equal(&fp, &got));
	fp.size = 9;
	px_inodes_set_view(t, a, w, &fp);
	px_inodes_set_view(t, a, w, &fp);
	px_view_unref(w);
	/* Replaced, but ours. */
	assert_string_equal(px_view_at(back, 0)->name, "x.pyc");
	px_view_unref(back);
	assert_int_equal(px_inodes_get_view(t, a, &back, &got), 0);
	assert_string_equal(px_view_at(back, 0)->name, "y.pyc");
	assert_true(px_fingerprint_equal(&fp, &got));
	px_inodes_forget(t, a, 1);
	assert_string_equal(px_view_at(back, 0)->name, "y.pyc");
	px_view_unref(back);
	assert_int_equal(px_inodes_get_view(t, a, &back, &got), -ENOENT);
	v = make_view("z.py");
	px_inodes_set_view(t, a, v, &fp);
	/* The root's is freed with the table. */
	px_inodes_set_view(t, PX_INODE_ROOT, v, &fp);
	px_view_unref(v);
}

static void test_tags(void **state)
{
	struct px_inodes *t = *state;
	uint64_t m = enter(t, PX_INODE_ROOT, &module_m);

	assert_false(px_inodes_update_tag(t, m, 0));
	assert_true(px_inodes_update_tag(t, m, 0));
	assert_false(px_inodes_update_tag(t, m, 5));
	assert_true(px_inodes_update_tag(t, m, 5));
	assert_false(px_inodes_update_tag(t, m, 0));
	assert_false(px_inodes_update_tag(t, 999, 0));
	assert_false(px_inodes_update_tag(t, 999, 0));
}

/* ------------------------------------------------------------ versions */

static uint64_t enter_version(struct px_inodes *t, const struct px_entry *e,
			      uint64_t version)
{
	uint64_t id = 0;

	assert_int_equal(px_inodes_enter(t, PX_INODE_ROOT, e, version, &id), 0);
	return id;
}

static uint64_t version_of(struct px_inodes *t, const char *name)
{
	return px_inodes_version(t, PX_INODE_ROOT, name);
}

static void test_a_changed_version_is_a_new_node(void **state)
{
	struct px_inodes *t = *state;
	uint64_t old = enter_version(t, &module_m, 7);
	uint64_t current;

	assert_true(version_of(t, "m.pyc") == 7);
	assert_true(enter_version(t, &module_m, 7) == old);
	current = enter_version(t, &module_m, 8);
	assert_true(current > old);
	assert_true(version_of(t, "m.pyc") == 8);
	assert_true(enter_version(t, &module_m, 8) == current);
	/* Back to the old content: not to the old node. */
	assert_true(enter_version(t, &module_m, 7) > current);
	assert_int_equal(px_inodes_count(t), 4);
}

/* Entered without a version it stays what it is; the first one that is known
 * becomes the node's. */
static void test_unknown_versions(void **state)
{
	struct px_inodes *t = *state;
	uint64_t m = enter_version(t, &module_m, 0);

	assert_true(version_of(t, "m.pyc") == 0);
	assert_true(enter_version(t, &module_m, 0) == m);
	assert_true(enter_version(t, &module_m, 5) == m);
	assert_true(version_of(t, "m.pyc") == 5);
	assert_true(enter_version(t, &module_m, 0) == m);
	assert_true(version_of(t, "m.pyc") == 5);
	assert_true(enter_version(t, &module_m, 6) != m);
}

static void test_version_of_what_is_not_there(void **state)
{
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	uint64_t m = 0;

	assert_int_equal(px_inodes_enter(t, a, &module_m, 3, &m), 0);
	assert_true(px_inodes_version(t, a, "m.pyc") == 3);
	assert_true(px_inodes_version(t, a, "m.py") == 0);
	assert_true(version_of(t, "m.pyc") == 0);
	assert_true(version_of(t, "a") == 0);
	assert_true(px_inodes_version(t, 999, "m.pyc") == 0);
	px_inodes_forget(t, m, 1);
	assert_true(px_inodes_version(t, a, "m.pyc") == 0);
}

/* Who has the old version goes on with it: its path, its attributes. */
static void test_old_nodes_live_on(void **state)
{
	struct px_inodes *t = *state;
	uint64_t old = enter_version(t, &module_m, 7);
	struct px_attr attr = {.size = 70};
	struct px_inode i;
	uint64_t current, number;

	assert_true(px_inodes_update_attr(t, old, 7, &attr));
	assert_int_equal(px_inodes_get(t, old, &i), 0);
	number = i.number;
	free(i.path);
	current = enter_version(t, &module_m, 8);
	attr.size = 80;
	assert_true(px_inodes_update_attr(t, current, 8, &attr));

	check(t, old, PX_KIND_MODULE, "m.py");
	/* It is the same file for stat(2). */
	assert_int_equal(px_inodes_get(t, current, &i), 0);
	assert_true(i.number == number);
	free(i.path);
	/* Its content is gone, but not what it was. */
	attr.size = 80;
	assert_false(px_inodes_update_attr(t, old, 8, &attr));
	assert_true(attr.size == 70);
	assert_false(px_inodes_matches_version(t, old, 8));
	assert_true(px_inodes_matches_version(t, old, 7));
	assert_true(px_inodes_matches_version(t, current, 8));

	px_inodes_forget(t, old, 1);
	assert_true(is_gone(t, old));
	assert_true(version_of(t, "m.pyc") == 8);
	assert_true(enter_version(t, &module_m, 8) == current);
}

static void test_the_new_node_may_go_first(void **state)
{
	struct px_inodes *t = *state;
	uint64_t old = enter_version(t, &module_m, 7);
	uint64_t current = enter_version(t, &module_m, 8);

	px_inodes_forget(t, current, 1);
	assert_true(is_gone(t, current));
	assert_false(is_gone(t, old));
	assert_true(version_of(t, "m.pyc") == 0);
	assert_true(enter_version(t, &module_m, 7) > current);
}

static void test_update_attr(void **state)
{
	struct px_inodes *t = *state;
	uint64_t m = enter_version(t, &module_m, 0);
	struct px_attr attr = {.kind = PX_KIND_MODULE, .size = 10, .mtime = 1};
	struct px_attr got = {.size = 99};

	/* Nothing is known: nothing is given. */
	assert_false(px_inodes_get_attr(t, m, &got));
	assert_true(got.size == 99);
	assert_true(px_inodes_matches_version(t, m, 4));
	assert_true(px_inodes_matches_version(t, m, 5));

	/* The first version is the node's, and its attributes are kept. */
	assert_true(px_inodes_update_attr(t, m, 4, &attr));
	assert_true(version_of(t, "m.pyc") == 4);
	assert_true(px_inodes_matches_version(t, m, 4));
	assert_false(px_inodes_matches_version(t, m, 5));
	assert_true(px_inodes_get_attr(t, m, &got));
	assert_memory_equal(&got, &attr, sizeof(got));

	/* The same version: newer attributes. */
	attr.mtime = 2;
	assert_true(px_inodes_update_attr(t, m, 4, &attr));
	assert_true(px_inodes_get_attr(t, m, &got));
	assert_true(got.mtime == 2);

	/* Another: what was. */
	attr = (struct px_attr){.size = 1000};
	assert_false(px_inodes_update_attr(t, m, 5, &attr));
	assert_true(attr.size == 10 && attr.mtime == 2);
	assert_true(px_inodes_get_attr(t, m, &got));
	assert_true(got.size == 10);
	assert_true(version_of(t, "m.pyc") == 4);
}

static void test_update_attr_of_no_node(void **state)
{
	struct px_inodes *t = *state;
	struct px_attr attr = {.size = 10};
	uint64_t m = enter_version(t, &module_m, 4);

	assert_true(px_inodes_update_attr(t, m, 4, &attr));
	px_inodes_forget(t, m, 1);
	assert_false(px_inodes_update_attr(t, m, 4, &attr));
	assert_true(attr.size == 10);
	assert_false(px_inodes_matches_version(t, m, 4));
	assert_false(px_inodes_get_attr(t, m, &attr));
	assert_false(px_inodes_matches_version(t, 999, 4));
}

/* A directory and its generated __pycache__ have one path in the source. */
static void test_generated_pycache(void **state)
{
	static const struct px_entry pycache = {"__pycache__", "",
						PX_KIND_PYCACHE, NULL};
	static const struct px_entry kept = {"m.cpython-312.pyc", "m.py",
					     PX_KIND_KEPT, NULL};
	struct px_inodes *t = *state;
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	uint64_t cache = enter(t, a, &pycache);
	uint64_t m = enter(t, cache, &kept);
	uint64_t top = enter(t, PX_INODE_ROOT, &pycache);
	uint64_t top_m = enter(t, top, &kept);
	struct px_inode i;

	check(t, cache, PX_KIND_PYCACHE, "a");
	check(t, m, PX_KIND_KEPT, "a/m.py");
	check(t, top, PX_KIND_PYCACHE, "");
	check(t, top_m, PX_KIND_KEPT, "m.py");
	assert_true(enter(t, a, &pycache) == cache);
	/* Their st_ino are those of their names. */
	assert_int_equal(px_inodes_get(t, top_m, &i), 0);
	assert_true(i.number == px_inode_number(px_inode_number(PX_INODE_ROOT,
								"__pycache__"),
						"m.cpython-312.pyc"));
	free(i.path);
	assert_true(px_inodes_enter(t, a, &module_m, 0, &i.id) == 0);
	assert_true(i.id != m);
	px_inodes_forget(t, cache, 2);
	check(t, m, PX_KIND_KEPT, "a/m.py");
	px_inodes_forget(t, m, 1);
	assert_true(is_gone(t, cache));
}

#define N_MANY 5000

static uint64_t enter_numbered(struct px_inodes *t, uint64_t parent, int i)
{
	char name[20];
	struct px_entry e = {name, name, PX_KIND_FILE, NULL};

	snprintf(name, sizeof(name), "f%d", i);
	return enter(t, parent, &e);
}

static void test_tables_grow(void **state)
{
	struct px_inodes *t = *state;
	static uint64_t ids[N_MANY];
	uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);

	for (int i = 0; i < N_MANY; i++)
		ids[i] = enter_numbered(t, i % 2 ? a : PX_INODE_ROOT, i);
	assert_int_equal(px_inodes_count(t), N_MANY + 2);
	for (int i = 0; i < N_MANY; i++) {
		char path[30];

		snprintf(path, sizeof(path), "%sf%d", i % 2 ? "a/" : "", i);
		check(t, ids[i], PX_KIND_FILE, path);
		assert_true(enter_numbered(t, i % 2 ? a : PX_INODE_ROOT, i) ==
			    ids[i]);
	}
	for (int i = 0; i < N_MANY; i++)
		px_inodes_forget(t, ids[i], 2);
	px_inodes_forget(t, a, 1);
	assert_int_equal(px_inodes_count(t), 1);
}

/* Replaced nodes must stay off the name table when that grows. */
static void test_growing_with_replaced_nodes(void **state)
{
	struct px_inodes *t = *state;
	uint64_t old;
	uint64_t current;

	px_inodes_forget(t, enter(t, PX_INODE_ROOT, &dir_a), 1);
	old = enter(t, PX_INODE_ROOT, &module_m);
	current = enter(t, PX_INODE_ROOT, &file_m);
	/* The old one in the last bucket of the first table and the current
	 * one in the first: growing meets them in the other order. */
	while (old % 256 != 255) {
		px_inodes_forget(t, old, 1);
		px_inodes_forget(t, current, 1);
		old = enter(t, PX_INODE_ROOT, &module_m);
		current = enter(t, PX_INODE_ROOT, &file_m);
	}
	/* The table grows once: a second time would put it right. */
	for (int i = 0; i < 300; i++)
		enter_numbered(t, PX_INODE_ROOT, i);
	assert_true(enter(t, PX_INODE_ROOT, &file_m) == current);
	check(t, old, PX_KIND_MODULE, "m.py");
	px_inodes_forget(t, old, 1);
	assert_true(is_gone(t, old));
	assert_true(enter(t, PX_INODE_ROOT, &file_m) == current);
}

static void test_path_max(void **state)
{
	struct px_inodes *t = *state;
	char name[NAME_MAX + 1];
	struct px_entry e = {name, name, PX_KIND_DIR, NULL};
	uint64_t id = PX_INODE_ROOT;
	struct px_inode i;

	memset(name, 'x', NAME_MAX);
	name[NAME_MAX] = '\0';
	/* 16 * 256 - 1 = PATH_MAX - 1 bytes, and the NUL. */
	for (int n = 0; n < PATH_MAX / (NAME_MAX + 1); n++)
		id = enter(t, id, &e);
	assert_int_equal(px_inodes_get(t, id, &i), 0);
	assert_int_equal(strlen(i.path), PATH_MAX - 1);
	free(i.path);
	name[1] = '\0';
	id = enter(t, id, &e);
	assert_int_equal(px_inodes_get(t, id, &i), -ENAMETOOLONG);
	/* 15 * 256 + 255 + 1: one byte too long. */
	name[1] = 'x';
	id = PX_INODE_ROOT;
	for (int n = 0; n < 15; n++)
		id = enter(t, id, &e);
	name[NAME_MAX - 1] = '\0';
	id = enter(t, id, &e);
	name[1] = '\0';
	id = enter(t, id, &e);
	assert_int_equal(px_inodes_get(t, id, &i), -ENAMETOOLONG);
}

static void *enter_and_forget(void *arg)
{
	struct px_inodes *t = arg;

	for (int i = 0; i < 2000; i++) {
		uint64_t a;
		uint64_t f;
		struct px_inode inode;
		char name[20];
		struct px_entry e = {name, name, PX_KIND_FILE, NULL};

		snprintf(name, sizeof(name), "f%d", i % 7);
		if (px_inodes_enter(t, PX_INODE_ROOT, &dir_a, 0, &a) < 0 ||
		    px_inodes_enter(t, a, &e, 0, &f) < 0 ||
		    px_inodes_get(t, f, &inode) < 0)
			return t;
		free(inode.path);
		px_inodes_forget(t, a, 1);
		px_inodes_forget(t, f, 1);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct px_inodes *t = *state;
	pthread_t threads[4];

	for (size_t i = 0; i < PX_ARRAY_LEN(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, enter_and_forget, t),
			0);
	for (size_t i = 0; i < PX_ARRAY_LEN(threads); i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(px_inodes_count(t), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* What the kernel has read, and what it may be given unasked. */
static void test_reading_ahead(void **state)
{
	struct px_inodes *t = *state;
	const uint64_t a = enter(t, PX_INODE_ROOT, &dir_a);
	const uint64_t b = enter(t, a, &dir_b);
	const uint64_t m = enter(t, a, &module_m);
	const uint64_t other = enter(t, b, &file_m);
	uint64_t dir = 0, id = 0;

	assert_int_equal(px_inodes_mark_read(t, m, &dir), 1);
	assert_true(dir == a);
	assert_int_equal(px_inodes_mark_read(t, m, &dir), 0); /* again */
	assert_false(px_inodes_claim_unread(t, a, "m.pyc", &id));
	/* Another directory counts for itself. */
	assert_int_equal(px_inodes_mark_read(t, other, &dir), 1);
	assert_true(dir == b);
	assert_int_equal(px_inodes_mark_read(t, 12345, &dir), 0);
	assert_int_equal(px_inodes_mark_read(t, PX_INODE_ROOT, &dir), 0);
	/* Claimed once; what is read then is no news. */
	assert_true(px_inodes_claim_push(t, a));
	assert_false(px_inodes_claim_push(t, a));
	assert_false(px_inodes_claim_push(t, 12345));
	assert_int_equal(
		px_inodes_mark_read(
			t,
			enter(t, a,
			      &(struct px_entry){"n.pyc", "n.py",
						 PX_KIND_MODULE, NULL}),
			&dir),
		0);
	assert_true(px_inodes_child(t, a, "b", &id));
	assert_true(id == b);
	assert_false(px_inodes_child(t, a, "c", &id));
	assert_false(px_inodes_child(t, 12345, "b", &id));
	id = 0;
	enter(t, a, &(struct px_entry){"o", "o", PX_KIND_FILE, NULL});
	assert_true(px_inodes_claim_unread(t, a, "o", &id));
	assert_true(id != 0);
	assert_false(px_inodes_claim_unread(t, a, "o", &id)); /* once */
	assert_false(px_inodes_claim_unread(t, a, "none", &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_root),
		TEST(test_enter_and_paths),
		TEST(test_lookup_counts),
		TEST(test_forget_too_much),
		TEST(test_children_keep_parents),
		TEST(test_changed_entries_get_new_ids),
		TEST(test_replaced_directory_keeps_its_children),
		TEST(test_numbers),
		TEST(test_numbers_are_in_order),
		TEST(test_views),
		TEST(test_tags),
		TEST(test_a_changed_version_is_a_new_node),
		TEST(test_unknown_versions),
		TEST(test_version_of_what_is_not_there),
		TEST(test_old_nodes_live_on),
		TEST(test_the_new_node_may_go_first),
		TEST(test_update_attr),
		TEST(test_update_attr_of_no_node),
		TEST(test_generated_pycache),
		TEST(test_tables_grow),
		TEST(test_growing_with_replaced_nodes),
		TEST(test_path_max),
		TEST(test_reading_ahead),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
