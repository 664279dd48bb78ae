/* SPDX-License-Identifier: MIT */
#include "tree_unit.h"

static const struct px_stat like = {
	.type = PX_TYPE_REG,
	.mode = 0755,
	.uid = 7,
	.gid = 8,
	.fp = {1, 2, 3, 1600000000000000000, 5},
};

static int put(struct fixture *f, const char *path, const char *text,
	       bool listed)
{
	return px_tree_put(f->t, path, text, strlen(text), &like, listed);
}

/* The names of `dir`, each with a space behind it. */
static void names(struct fixture *f, const char *dir, char ret[200])
{
	struct px_listing l;

	char *end = ret;

	*ret = '\0';
	assert_int_equal(px_tree_list(f->t, dir, PX_LIST_STATS, &l), 0);
	for (size_t i = 0; i < l.n; i++) {
		assert_non_null(l.names[i].st);
		assert_int_equal(l.names[i].st->type, l.names[i].type);
		end += snprintf(end, (size_t)(ret + 200 - end), "%s ",
				l.names[i].name);
	}
	px_listing_fini(&l);
}

static void test_put(void **state)
{
	struct fixture *f = *state;
	struct px_stat st;
	char text[200];
	int fds;

	put_file(f->fd, "a", "a");
	put_dir(f->fd, "dir");
	put_file(f->fd, "dir/b", "b");
	assert_int_equal(put(f, "bin/x", "made", true), 0);
	assert_int_equal(put(f, "dir/b", "instead", true), 0);
	assert_int_equal(put(f, "dir/a.py", "new", true), 0);
	assert_int_equal(put(f, "\001no/x", "not listed", false), 0);
	assert_int_equal(put(f, "one/two/three", "", true), 0);
	fds = n_open_fds();
	check_file(f->t, "bin/x", 0, "made");
	check_file(f->t, "dir/b", 0, "instead");
	check_file(f->t, "\001no/x", 0, "not listed");
	check_file(f->t, "one/two/three", 0, "");
	check_file(f->t, "a", 0, "a");
	check_file(f->t, "bin/y", -ENOENT, NULL);
	check_file(f->t, "bin", -EINVAL, NULL);
	assert_int_equal(n_open_fds(), fds);
	names(f, "", text);
	assert_string_equal(text, "a bin dir one ");
	names(f, "bin", text);
	assert_string_equal(text, "x ");
	names(f, "dir", text);
	assert_string_equal(text, "a.py b ");
	names(f, "one", text);
	assert_string_equal(text, "two ");
	assert_int_equal(px_tree_stat(f->t, "bin/x", &st), 0);
	assert_int_equal(st.mode, 0755);
	assert_int_equal(st.uid, 7);
	assert_int_equal(st.gid, 8);
	assert_int_equal(st.fp.size, 4);
	assert_int_equal(st.fp.mtime_ns, like.fp.mtime_ns);
	assert_int_equal(px_tree_stat(f->t, "one/two", &st), 0);
	assert_int_equal(st.type, PX_TYPE_DIR);
	assert_int_equal(px_tree_stat(f->t, "\001no", &st), -ENOENT);
}

/* Other bytes are another file. */
static void test_put_again(void **state)
{
	struct fixture *f = *state;
	struct px_stat one, two;

	assert_int_equal(put(f, "bin/x", "one", true), 0);
	assert_int_equal(px_tree_stat(f->t, "bin/x", &one), 0);
	assert_int_equal(put(f, "bin/x", "two", true), 0);
	assert_int_equal(px_tree_stat(f->t, "bin/x", &two), 0);
	check_file(f->t, "bin/x", 0, "two");
	assert_false(px_fingerprint_equal(&one.fp, &two.fp));
}

/* A directory appears in SOURCE later: both are shown. */
static void test_source_changes(void **state)
{
	struct fixture *f = *state;
	char text[200];

	assert_int_equal(put(f, "bin/x", "made", true), 0);
	put_dir(f->fd, "bin");
	put_file(f->fd, "bin/y", "theirs");
	names(f, "", text);
	assert_string_equal(text, "bin ");
	check_file(f->t, "bin/x", 0, "made");
	check_file(f->t, "bin/y", 0, "theirs");
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	put_file(f->fd, "file", "");
	put_link(f->fd, "link", "../outside");
	put_dir(f->fd, "dir");
	assert_int_equal(put(f, "file/x", "", true), -ENOTDIR);
	assert_int_equal(put(f, "link/x", "", true), -ENOTDIR);
	assert_true(put(f, "link/x/y", "", true) < 0);
	assert_int_equal(put(f, "../x", "", true), -EXDEV);
	assert_int_equal(put(f, "a//x", "", true), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_put),
		TREE_TEST(test_put_again),
		TREE_TEST(test_source_changes),
		TREE_TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
