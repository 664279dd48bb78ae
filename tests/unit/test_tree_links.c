/* SPDX-License-Identifier: MIT */
#include "tree_unit.h"

static void test_links(void **state)
{
	static const struct {
		const char *name;
		const char *target; /* "@" stands for SOURCE */
		int r;
	} cases[] = {
		{"same.py", "real.py", 0},
		{"dotted.py", "./././real.py", 0},
		{"slashes.py", ".//d///in.py", 0},
		{"down.py", "d/e/deep.py", 0},
		{"d/up.py", "../real.py", 0},
		{"d/e/upup.py", "../../d/../real.py", 0},
		{"chain.py", "d/up.py", 0},
		{"through.py", "dl/in.py", 0},
		{"through2.py", "d/e/back/e/deep.py", 0},
		{"up_through.py", "dl/../real.py", 0},
		{"absolute.py", "@/real.py", 0},
		{"absolute2.py", "@/d/../real.py", 0},
		{"absolute3.py", "self/real.py", 0},
		{"out.py", "../secret.py", -EXDEV},
		{"out2.py", "d/../../secret.py", -EXDEV},
		{"out3.py", "../src/real.py", -EXDEV},
		{"out4.py", "outdir/secret.py", -EXDEV},
		{"out5.py", "dl/../../secret.py", -EXDEV},
		{"out6.py", "/etc/passwd", -EXDEV},
		{"out7.py", "@x/real.py", -EXDEV},
		{"out8.py", "@/../secret.py", -EXDEV},
		{"out9.py", "/", -EXDEV},
		{"root.py", "@", -EINVAL},
		{"dir.py", "d", -EINVAL},
		{"dir2.py", "d/", -EINVAL},
		{"dir3.py", "d/e/..", -EINVAL},
		{"dir4.py", ".", -EINVAL},
		{"d/dir5.py", "..", -EINVAL},
		{"fifo.py", "fifo", -EINVAL},
		{"file_as_dir.py", "real.py/", -ENOTDIR},
		{"file_as_dir2.py", "real.py/../real.py", -ENOTDIR},
		{"file_as_dir3.py", "real.py/.", -ENOTDIR},
		{"dangling.py", "nowhere", -ENOENT},
		{"dangling2.py", "nowhere/../real.py", -ENOENT},
		{"loop.py", "loop.py", -ELOOP},
		{"ping.py", "pong.py", -ELOOP},
		{"pong.py", "ping.py", -ELOOP},
		{"grow.py", "grow.py/x", -ELOOP},
	};
	struct fixture *f = *state;
	char target[2 * PATH_MAX];
	int before;

	put_dir(f->fd, "d");
	put_dir(f->fd, "d/e");
	put_file(f->fd, "real.py", "real");
	put_file(f->fd, "d/in.py", "real");
	put_file(f->fd, "d/e/deep.py", "real");
	put_link(f->fd, "d/e/back", "..");
	put_link(f->fd, "dl", "d/e/..");
	put_link(f->fd, "outdir", "../outside");
	put_link(f->fd, "self", px_tree_root(f->t));
	assert_int_equal(mkfifoat(f->fd, "fifo", 0644), 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		const char *to = cases[i].target;

		snprintf(target, sizeof(target), "%s%s",
			 *to == '@' ? px_tree_root(f->t) : "",
			 *to == '@' ? to + 1 : to);
		put_link(f->fd, cases[i].name, target);
	}
	before = n_open_fds();
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++)
		check_file(f->t, cases[i].name, cases[i].r, "real");
	assert_int_equal(n_open_fds(), before);
	/* The asked path's own directories must be no links. */
	check_file(f->t, "dl/in.py", -ELOOP, NULL);
	check_file(f->t, "dl/up.py", -ELOOP, NULL);
	check_file(f->t, "d", -EINVAL, NULL);
	check_file(f->t, "", -EINVAL, NULL);
	check_file(f->t, "fifo", -EINVAL, NULL);
	check_file(f->t, "absent", -ENOENT, NULL);
	check_file(f->t, "real.py", 0, "real");
	check_file(f->t, "../secret.py", -EXDEV, NULL);
}

static void test_forty_links(void **state)
{
	struct fixture *f = *state;
	char name[20];
	char target[20];

	put_file(f->fd, "l0", "real");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), "l%d", i - 1);
		put_link(f->fd, name, target);
	}
	check_file(f->t, "l40", 0, "real");
	check_file(f->t, "l41", -ELOOP, NULL);
}

static void test_links_too_long(void **state)
{
	struct fixture *f = *state;
	char target[PATH_MAX];
	struct px_stat st;
	char *got;

	/* "d/d/.../d" of links to ".", nearly as long as a target may be. */
	put_link(f->fd, "d", ".");
	for (int i = 0; i < PATH_MAX - 2; i += 2)
		memcpy(target + i, "d/", 2);
	target[PATH_MAX - 2] = 'd';
	target[PATH_MAX - 1] = '\0';
	put_link(f->fd, "l", target);
	put_link(f->fd, "m", "l/l");
	assert_int_equal(px_tree_stat_file(f->t, "l", &st), -ELOOP);
	assert_int_equal(px_tree_stat_file(f->t, "m", &st), -ENAMETOOLONG);
	assert_int_equal(px_tree_readlink(f->t, "l", &got), 0);
	assert_string_equal(got, target);
	free(got);
}

static void test_absolute_links_with_source_slash(void **state)
{
	struct fixture *f = *state;
	struct px_tree *t;
	char target[PATH_MAX + 20];
	char path[PATH_MAX + 20];
	char text[10];

	if (px_tree_open("/", &t, NULL) < 0)
		skip();
	t->walk = f->walk;
	put_file(f->fd, "real.py", "real");
	snprintf(target, sizeof(target), "%s/real.py", px_tree_root(f->t));
	put_link(f->fd, "l.py", target);
	snprintf(path, sizeof(path), "%s/l.py", px_tree_root(f->t) + 1);
	assert_int_equal(read_text(t, path, text, sizeof(text)), 0);
	assert_string_equal(text, "real");
	px_tree_close(t);
}

static void test_readlink(void **state)
{
	struct fixture *f = *state;
	char *target = NULL;

	put_dir(f->fd, "d");
	put_link(f->fd, "d/l", "../any\nwhere\xff");
	put_link(f->fd, "dl", "d");
	put_file(f->fd, "file", "");
	assert_int_equal(px_tree_readlink(f->t, "d/l", &target), 0);
	assert_string_equal(target, "../any\nwhere\xff");
	free(target);
	target = NULL;
	assert_int_equal(px_tree_readlink(f->t, "file", &target), -EINVAL);
	assert_int_equal(px_tree_readlink(f->t, "d", &target), -EINVAL);
	assert_int_equal(px_tree_readlink(f->t, "", &target), -EINVAL);
	assert_int_equal(px_tree_readlink(f->t, "absent", &target), -ENOENT);
	assert_int_equal(px_tree_readlink(f->t, "dl/l", &target), -ELOOP);
	assert_null(target);
}

/* A file and a link take turns: never an error that is not about the race. */
static void *swap_kinds(void *arg)
{
	struct changer *g = arg;

	for (int i = 0; !g->stop; i++) {
		if (i % 2)
			put_file(g->fd, "new", "real");
		else
			put_link(g->fd, "new", "real.py");
		if (renameat(g->fd, "new", g->fd, "m.py") < 0)
			break;
	}
	return NULL;
}

static void test_read_while_becoming_a_link(void **state)
{
	struct fixture *f = *state;
	struct changer g = {.fd = f->fd};
	int64_t until_ms = px_now_ms() + 200;
	pthread_t thread;
	char text[20];
	int r = 0;

	put_file(f->fd, "m.py", "real");
	put_file(f->fd, "real.py", "real");
	assert_int_equal(pthread_create(&thread, NULL, swap_kinds, &g), 0);
	while (px_now_ms() < until_ms &&
	       (r == 0 || r == -EAGAIN || r == -ELOOP)) {
		r = read_text(f->t, "m.py", text, sizeof(text));
		if (r == 0 && strcmp(text, "real") != 0)
			r = -EIO;
	}
	g.stop = true;
	pthread_join(thread, NULL);
	print_message("%d\n", r);
	assert_true(r == 0 || r == -EAGAIN || r == -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_links),
		TREE_TEST(test_forty_links),
		TREE_TEST(test_links_too_long),
		TREE_TEST(test_absolute_links_with_source_slash),
		TREE_TEST(test_readlink),
		TREE_TEST(test_read_while_becoming_a_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
