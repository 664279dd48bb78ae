/* SPDX-License-Identifier: MIT */
#include "tree_unit.h"

static void check_listing(struct px_tree *t, const char *path,
			  const struct px_name *expected, size_t n)
{
	struct px_listing l;
	struct px_stat st;

	assert_int_equal(px_tree_list(t, path, PX_LIST_KINDS, &l), 0);
	assert_int_equal(l.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(l.names[i].name, expected[i].name);
		assert_int_equal(l.names[i].type, expected[i].type);
		assert_int_equal(l.names[i].leads, expected[i].leads);
		assert_int_equal(l.names[i].leads_to_file,
				 expected[i].leads_to_file);
	}
	assert_int_equal(px_tree_stat(t, path, &st), 0);
	assert_true(px_fingerprint_equal(&st.fp, &l.dir.fp));
	assert_int_equal(l.dir.type, PX_TYPE_DIR);
	assert_true(l.young);
	px_listing_fini(&l);
}

static void test_list(void **state)
{
	static const struct px_name expected[] = {
		{.name = "\x01", .type = PX_TYPE_REG},
		{.name = "\n\n.py", .type = PX_TYPE_REG},
		{.name = ".hidden", .type = PX_TYPE_REG},
		{.name = "...", .type = PX_TYPE_REG},
		{.name = "B", .type = PX_TYPE_DIR},
		{.name = "a", .type = PX_TYPE_DIR},
		{.name = "dir.py", .type = PX_TYPE_LNK, .leads = PX_LEADS_DIR},
		{.name = "fifo", .type = PX_TYPE_SPECIAL},
		{.name = "good", .type = PX_TYPE_LNK, .leads = PX_LEADS_FILE},
		{.name = "good.py",
		 .type = PX_TYPE_LNK,
		 .leads_to_file = true,
		 .leads = PX_LEADS_FILE},
		{.name = "loop.py",
		 .type = PX_TYPE_LNK,
		 .leads = PX_LEADS_CIRCLE},
		{.name = "out.py", .type = PX_TYPE_LNK, .leads = PX_LEADS_OUT},
		{.name = "z.py", .type = PX_TYPE_REG},
		{.name = "\xc3\xa9", .type = PX_TYPE_REG},
		{.name = "\xff", .type = PX_TYPE_REG},
	};
	static const char *const dirs[] = {"", "a"};
	struct px_name sorted[PX_ARRAY_LEN(expected)];
	struct fixture *f = *state;

	memcpy(sorted, expected, sizeof(sorted));
	/* "..." comes before ".hidden". */
	sorted[2] = expected[3];
	sorted[3] = expected[2];
	for (int i = 0; i < 2; i++) {
		int fd;

		put_dir(f->fd, i == 0 ? "a" : "a/a");
		fd = openat(f->fd, i == 0 ? "." : "a", O_RDONLY | O_DIRECTORY);
		put_dir(fd, "B");
		for (size_t j = 0; j < PX_ARRAY_LEN(expected); j++) {
			if (expected[j].type == PX_TYPE_REG)
				put_file(fd, expected[j].name, "");
		}
		put_link(fd, "dir.py", "B");
		put_link(fd, "good", "z.py");
		put_link(fd, "good.py", "./z.py");
		put_link(fd, "loop.py", "loop.py");
		put_link(fd, "out.py", "../../secret.py");
		assert_int_equal(mkfifoat(fd, "fifo", 0600), 0);
		close(fd);
	}
	/* From the second level, ../../secret.py is still outside. */
	for (size_t i = 0; i < PX_ARRAY_LEN(dirs); i++)
		check_listing(f->t, dirs[i], sorted, PX_ARRAY_LEN(sorted));
	check_listing(f->t, "B", NULL, 0);
}

static void test_list_errors(void **state)
{
	struct fixture *f = *state;
	struct px_listing l;
	int before = n_open_fds();

	put_dir(f->fd, "d");
	put_link(f->fd, "dl", "d");
	put_file(f->fd, "file", "");
	assert_int_equal(px_tree_list(f->t, "absent", PX_LIST_KINDS, &l),
			 -ENOENT);
	assert_int_equal(px_tree_list(f->t, "file", PX_LIST_KINDS, &l),
			 -ENOTDIR);
	assert_int_equal(px_tree_list(f->t, "dl", PX_LIST_KINDS, &l), -ELOOP);
	assert_int_equal(px_tree_list(f->t, "..", PX_LIST_KINDS, &l), -EXDEV);
	assert_int_equal(n_open_fds(), before);
}

static void test_list_old_directory(void **state)
{
	struct fixture *f = *state;
	struct px_listing l;
	struct px_stat st;

	/* ctime cannot be set: only waiting makes a directory old. */
	put_dir(f->fd, "d");
	assert_int_equal(px_tree_list(f->t, "d", PX_LIST_KINDS, &l), 0);
	assert_true(l.young);
	px_listing_fini(&l);
	assert_int_equal(px_tree_stat(f->t, "d", &st), 0);
	while (px_tree_young(&st.fp, px_wall_ns()))
		usleep(50000);
	assert_int_equal(px_tree_list(f->t, "d", PX_LIST_KINDS, &l), 0);
	assert_false(l.young);
	px_listing_fini(&l);
}

#define N_MANY 3000

static void test_list_many(void **state)
{
	struct fixture *f = *state;
	struct px_listing l;
	char name[20];

	for (int i = 0; i < N_MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_file(f->fd, name, "");
	}
	assert_int_equal(px_tree_list(f->t, "", PX_LIST_KINDS, &l), 0);
	assert_int_equal(l.n, N_MANY);
	for (size_t i = 1; i < l.n; i++)
		assert_true(strcmp(l.names[i - 1].name, l.names[i].name) < 0);
	px_listing_fini(&l);
}

static void test_longest_names(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 2];
	char path[NAME_MAX + 10];
	struct px_listing l;
	struct px_stat st;

	memset(name, 'x', sizeof(name));
	memcpy(name + NAME_MAX - 3, ".py", 4);
	put_dir(f->fd, "d");
	snprintf(path, sizeof(path), "d/%s", name);
	put_file(f->fd, path, "long");
	put_file(f->fd, name, "long");
	check_file(f->t, name, 0, "long");
	check_file(f->t, path, 0, "long");
	assert_int_equal(px_tree_list(f->t, "d", PX_LIST_KINDS, &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.names[0].name, name);
	px_listing_fini(&l);
	memset(name, 'x', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	assert_int_equal(px_tree_stat(f->t, name, &st), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "d/%s", name);
	assert_int_equal(px_tree_stat(f->t, path, &st), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/d", name);
	assert_int_equal(px_tree_stat(f->t, path, &st), -ENAMETOOLONG);
	put_link(f->fd, "l.py", name);
	assert_int_equal(px_tree_stat_file(f->t, "l.py", &st), -ENAMETOOLONG);
}

static void test_deep_paths(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1];
	char path[PATH_MAX + 10] = "";
	struct px_listing l;
	struct px_stat st;
	size_t n = 0;
	int fd = dup(f->fd);

	/* With "/m.py" the path is as long as one may be. */
	memset(name, 'x', NAME_MAX);
	name[NAME_MAX] = '\0';
	for (int i = 0; i < 16; i++) {
		int next;

		if (i == 15)
			name[251 - 1] = '\0';
		put_dir(fd, name);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%s%s",
				      i ? "/" : "", name);
	}
	assert_int_equal(n, 4090);
	put_file(fd, "m.py", "deep");
	put_file(fd, "mm.py", "deep");
	put_link(fd, "l.py", "m.py");
	close(fd);
	assert_int_equal(px_tree_list(f->t, path, PX_LIST_KINDS, &l), 0);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.names[0].name, "l.py");
	assert_true(l.names[0].leads_to_file);
	px_listing_fini(&l);
	snprintf(path + n, sizeof(path) - n, "/m.py");
	check_file(f->t, path, 0, "deep");
	snprintf(path + n, sizeof(path) - n, "/l.py");
	check_file(f->t, path, 0, "deep");
	snprintf(path + n, sizeof(path) - n, "/mm.py");
	assert_int_equal(px_tree_stat(f->t, path, &st), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_list),
		TREE_TEST(test_list_errors),
		TREE_TEST(test_list_old_directory),
		TREE_TEST(test_list_many),
		TREE_TEST(test_longest_names),
		TREE_TEST(test_deep_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
