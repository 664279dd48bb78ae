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

static enum px_leads leads_of(struct px_tree *t, const char *dir,
			      const char *name, enum px_type *ret_type)
{
	enum px_leads leads = PX_LEADS_UNKNOWN;
	struct px_listing l;
	bool found = false;

	assert_int_equal(px_tree_list(t, dir, PX_LIST_STATS, &l), 0);
	for (size_t i = 0; i < l.n; i++)
		if (strcmp(l.names[i].name, name) == 0) {
			leads = l.names[i].leads;
			*ret_type = l.names[i].type;
			assert_int_equal(l.names[i].st->type, *ret_type);
			found = true;
		}
	px_listing_fini(&l);
	assert_true(found);
	return leads;
}

static void check_leads(struct px_tree *t, const char *dir, const char *name,
			enum px_type type, enum px_leads leads)
{
	enum px_type got = PX_TYPE_SPECIAL;

	print_message("%s/%s\n", dir, name);
	assert_int_equal(leads_of(t, dir, name, &got), leads);
	assert_int_equal(got, type);
}

static void test_where_links_lead(void **state)
{
	struct fixture *f = *state;

	put_dir(f->fd, "d");
	put_file(f->fd, "d/file", "");
	put_link(f->fd, "to_file", "d/file");
	put_link(f->fd, "to_dir", "d");
	put_link(f->fd, "out", "../outside");
	put_link(f->fd, "out.py", "../outside/secret.py");
	put_link(f->fd, "root", "/");
	put_link(f->fd, "gone", "d/absent");
	put_link(f->fd, "below_file", "d/file/x");
	put_link(f->fd, "loop", "loop");
	put_link(f->fd, "device", "d/fifo");
	assert_int_equal(mkfifoat(f->fd, "d/fifo", 0600), 0);
	check_leads(f->t, "", "d", PX_TYPE_DIR, PX_LEADS_UNKNOWN);
	check_leads(f->t, "", "to_file", PX_TYPE_LNK, PX_LEADS_FILE);
	check_leads(f->t, "", "to_dir", PX_TYPE_LNK, PX_LEADS_DIR);
	check_leads(f->t, "", "out", PX_TYPE_LNK, PX_LEADS_OUT);
	check_leads(f->t, "", "out.py", PX_TYPE_LNK, PX_LEADS_OUT);
	check_leads(f->t, "", "root", PX_TYPE_LNK, PX_LEADS_OUT);
	check_leads(f->t, "", "gone", PX_TYPE_LNK, PX_LEADS_NOWHERE);
	check_leads(f->t, "", "below_file", PX_TYPE_LNK, PX_LEADS_NOWHERE);
	check_leads(f->t, "", "loop", PX_TYPE_LNK, PX_LEADS_CIRCLE);
	check_leads(f->t, "", "device", PX_TYPE_LNK, PX_LEADS_ELSEWHERE);
}

/* TOP/outside is followed, TOP is not. */
static void follow_outside(struct fixture *f)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/outside", f->top);
	assert_int_equal(px_tree_follow(f->t, path, NULL), 0);
	f->t->roots->walk = f->walk;
}

static void test_follow_files(void **state)
{
	struct fixture *f = *state;
	char target[PATH_MAX + 32];
	char *read = NULL;

	put_dir(f->fd, "d");
	put_dir(f->top_fd, "outside2");
	put_file(f->top_fd, "outside2/x.py", "secret");
	put_file(f->top_fd, "outside/m.py", "m");
	put_link(f->top_fd, "outside/hop.py", "m.py");
	put_link(f->top_fd, "outside/escape.py", "../secret.py");
	snprintf(target, sizeof(target), "%s/outside/m.py", f->top);
	put_link(f->fd, "absolute.py", target);
	put_link(f->fd, "d/relative.py", "../../outside/m.py");
	put_link(f->fd, "odd.py", "../src/./../outside//m.py");
	put_link(f->fd, "hop.py", "../outside/hop.py");
	put_link(f->fd, "escape.py", "../outside/escape.py");
	put_link(f->fd, "other.py", "../outside2/x.py");
	put_link(f->fd, "secret.py", "../secret.py");
	put_link(f->fd, "gone.py", "../outside/absent.py");
	/* Nothing is followed unless it is asked for. */
	check_file(f->t, "absolute.py", -EXDEV, NULL);
	follow_outside(f);
	check_file(f->t, "absolute.py", 0, "m");
	check_file(f->t, "d/relative.py", 0, "m");
	check_file(f->t, "odd.py", 0, "m");
	check_file(f->t, "hop.py", 0, "m");
	check_file(f->t, "escape.py", -EXDEV, NULL);
	check_file(f->t, "other.py", -EXDEV, NULL);
	check_file(f->t, "secret.py", -EXDEV, NULL);
	check_file(f->t, "gone.py", -ENOENT, NULL);
	check_leads(f->t, "", "absolute.py", PX_TYPE_REG, PX_LEADS_UNKNOWN);
	check_leads(f->t, "", "escape.py", PX_TYPE_LNK, PX_LEADS_OUT);
	check_leads(f->t, "", "other.py", PX_TYPE_LNK, PX_LEADS_OUT);
	check_leads(f->t, "", "gone.py", PX_TYPE_LNK, PX_LEADS_NOWHERE);
	assert_int_equal(px_tree_readlink(f->t, "absolute.py", &read), -EINVAL);
	assert_int_equal(px_tree_readlink(f->t, "escape.py", &read), 0);
	assert_string_equal(read, "../outside/escape.py");
	free(read);
}

static void test_follow_directories(void **state)
{
	struct fixture *f = *state;

	put_dir(f->top_fd, "outside/p");
	put_dir(f->top_fd, "outside/p/sub");
	put_dir(f->top_fd, "outside/q");
	put_file(f->top_fd, "outside/p/sub/m.py", "m");
	put_file(f->top_fd, "outside/q/n.py", "n");
	put_link(f->top_fd, "outside/p/q", "../q");
	put_link(f->top_fd, "outside/p/sub/up", "..");
	put_link(f->top_fd, "outside/q/p", "../p");
	put_link(f->top_fd, "outside/p/all", "..");
	put_link(f->top_fd, "outside/p/sub/escape", "../../..");
	put_link(f->fd, "p", "../outside/p");
	put_link(f->fd, "in", "d");
	put_dir(f->fd, "d");
	put_file(f->fd, "d/x.py", "x");
	follow_outside(f);
	check_leads(f->t, "", "p", PX_TYPE_DIR, PX_LEADS_UNKNOWN);
	check_leads(f->t, "p", "sub", PX_TYPE_DIR, PX_LEADS_UNKNOWN);
	check_leads(f->t, "p", "q", PX_TYPE_DIR, PX_LEADS_UNKNOWN);
	check_leads(f->t, "p/sub", "m.py", PX_TYPE_REG, PX_LEADS_UNKNOWN);
	check_file(f->t, "p/sub/m.py", 0, "m");
	check_file(f->t, "p/q/n.py", 0, "n");
	check_file(f->t, "p/q/absent.py", -ENOENT, NULL);
	/* Directories that would be walked again and again, or are not in the
	 * one that is followed, stay links. */
	check_leads(f->t, "p/sub", "up", PX_TYPE_LNK, PX_LEADS_CIRCLE);
	check_leads(f->t, "p/q", "p", PX_TYPE_LNK, PX_LEADS_CIRCLE);
	check_leads(f->t, "p", "all", PX_TYPE_LNK, PX_LEADS_CIRCLE);
	check_leads(f->t, "p/sub", "escape", PX_TYPE_LNK, PX_LEADS_OUT);
	check_file(f->t, "p/sub/escape/secret.py", -EXDEV, NULL);
	/* So do links to directories of SOURCE. */
	check_leads(f->t, "", "in", PX_TYPE_LNK, PX_LEADS_DIR);
}

/* Links may call the directory by a name with a link in it. */
static void test_follow_by_another_name(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX + 16], target[PATH_MAX + 32];

	put_file(f->top_fd, "outside/m.py", "m");
	put_link(f->top_fd, "alias", "outside");
	snprintf(path, sizeof(path), "%s/alias/", f->top);
	snprintf(target, sizeof(target), "%s/alias/m.py", f->top);
	put_link(f->fd, "m.py", target);
	assert_int_equal(px_tree_follow(f->t, path, NULL), 0);
	check_file(f->t, "m.py", 0, "m");
}

static bool is_python(const char *name)
{
	return px_ends_in(name, ".py");
}

static void test_look_outside(void **state)
{
	struct fixture *f = *state;

	put_dir(f->top_fd, "data");
	put_file(f->top_fd, "data/x.txt", "");
	put_dir(f->top_fd, "space");
	put_dir(f->top_fd, "space/deep");
	put_file(f->top_fd, "space/deep/m.py", "");
	put_link(f->fd, "package", "../outside");
	put_link(f->fd, "space", "../space");
	put_link(f->fd, "data", "../data");
	put_link(f->fd, "file", "../secret.py");
	put_link(f->fd, "gone", "../absent");
	assert_int_equal(px_tree_leads_to_modules(f->t, "package", is_python),
			 1);
	assert_int_equal(px_tree_leads_to_modules(f->t, "space", is_python), 1);
	assert_int_equal(px_tree_leads_to_modules(f->t, "data", is_python), 0);
	assert_int_equal(px_tree_leads_to_modules(f->t, "file", is_python), 0);
	assert_int_equal(px_tree_leads_to_modules(f->t, "gone", is_python),
			 -ENOENT);
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
		TREE_TEST(test_where_links_lead),
		TREE_TEST(test_follow_files),
		TREE_TEST(test_follow_directories),
		TREE_TEST(test_follow_by_another_name),
		TREE_TEST(test_look_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
