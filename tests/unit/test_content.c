/* SPDX-License-Identifier: MIT */
/*
 * Tree, cache, pool and content together. Most tests have a fake compiler,
 * which gives back the source, so that every compile can be seen; what Python
 * itself makes of it is in the tests named "python".
 */
#include "pool_unit.h"
#include "pyc_unit.h"

#include "pycfs/content.h"
#include "pycfs/log.h"

#define N_THREADS 50

/* One SOURCE for all tests, because its files must be two seconds old. */
static char top[100];
static struct px_python *python;

struct unit_content {
	char dir[200]; /* of the cache */
	int n_fds;
	struct px_stats stats;
	struct px_python fake;
	struct px_tree *tree;
	struct px_cache *cache;
	struct px_pool *pool;
	struct px_content *c;
	struct px_content_options o;
	unsigned n_workers;
	unsigned timeout_ms;
};

/* How a get ended. */
struct answer {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n; /* under lock, as all of it */
	int err;
	struct px_module m;
	char text[2000]; /* of the blob, with a NUL behind it */
};

static void put_at(const char *path, const char *text, int64_t mtime)
{
	const struct timespec times[2] = {{mtime, 0}, {mtime, 0}};
	char full[400];
	char *slash;
	int fd;

	snprintf(full, sizeof(full), "%s/src/%s", top, path);
	for (slash = strchr(full + strlen(top) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static void put(const char *path, const char *text)
{
	put_at(path, text, 1700000000);
}

static int make_tree(void **state PX_UNUSED)
{
	const char *tmp = getenv("TMPDIR");
	char from[200], to[200];
	struct px_why why;

	snprintf(top, sizeof(top), "%s/px-content-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top) ||
	    px_python_find(&(struct px_python_query){.compiler = unit_program(
							     "PYCFS_COMPILER")},
			   &python, &why) < 0)
		return -1;
	px_log_init(PX_LOG_STDERR, PX_LOG_WARNING);
	put("echo a.py", "source of a");
	put("echo b.py", "source of b");
	put("echo change.py", "before");
	put("echo damaged.py", "a payload to be damaged");
	put("echo once.py", "compiled once");
	put("stall.py", "never");
	put("stall 2.py", "never");
	put("reject.py", "no good");
	put("dir/echo a.py", "one");
	put("dir/echo b.py", "two");
	put("dir/echo c.py", "three");
	put("dir/data.txt", "data");
	put("dir/sub/echo d.py", "four");
	put("dir2/echo e.py", "five");
	put("mixed/echo good.py", "good");
	put("mixed/reject bad.py", "bad");
	put("mixed/data.txt", "data");
	put("nameless a.py", "alike");
	put("dir4/nameless b.py", "alike");
	put("work-nameless a.py", "at once");
	put("dir4/work-nameless b.py", "at once");
	put("dir4/work-nameless c.py", "at once");
	put("work a.py", "with a name");
	put("dir4/work b.py", "with a name");
	put("linked/work-nameless a.py", "a file with two names");
	put_at("times/echo.py", "same", 1700000000);
	put_at("later/echo.py", "same", 1700000000);
	put_at("real/m.py", "'''doc'''\nx = 'constant'\n", 1700000001);
	put("real/bad.py", "x = 1\ny = (\n");
	snprintf(from, sizeof(from), "%s/src/linked/work-nameless a.py", top);
	snprintf(to, sizeof(to), "%s/src/linked/work-nameless bb.py", top);
	if (link(from, to) < 0)
		return -1;
	/* See PX_TREE_YOUNG_NS. */
	usleep(2100000);
	return 0;
}

static int remove_tree(void **state PX_UNUSED)
{
	px_python_free(python);
	return nftw(top, unit_pool_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---------------------------------------------------------------- fixture */

static int setup(void **state)
{
	struct unit_content *u = calloc(1, sizeof(*u));

	u->n_fds = unit_n_fds();
	snprintf(u->dir, sizeof(u->dir), "%s/cache-XXXXXX", top);
	if (!mkdtemp(u->dir))
		return -1;
	u->fake = (struct px_python){
		.libpython = (char *)(uintptr_t) "ok",
		.version = (char *)(uintptr_t) "3.9.0 (fake)",
		.cache_tag = (char *)(uintptr_t) "cpython-39",
		.canary = (char *)(uintptr_t) "0123",
		.magic = 1,
		.hexversion = 0x030900f0,
	};
	u->n_workers = 2;
	u->o = (struct px_content_options){
		.python = &u->fake,
		.stats = &u->stats,
		.optimize = 2,
		.uid = -1,
		.gid = -1,
		.mtime = -1,
		.canonical = true,
		.mode = PX_PYC_UNCHECKED_HASH,
		.prefix = "",
	};
	*state = u;
	return 0;
}

static void begin(struct unit_content *u)
{
	const struct px_cache_options cache = {
		.dir = u->dir, .max_bytes = 1u << 30, .stats = &u->stats};
	const struct px_pool_options pool = {
		.python = u->o.python,
		.compiler = unit_program(u->o.python == &u->fake
						 ? "PYCFS_FAKE_COMPILER"
						 : "PYCFS_COMPILER"),
		.n_workers = u->n_workers,
		.timeout_ms = u->timeout_ms,
		.stats = &u->stats,
	};
	struct px_why why = {""};
	char src[120];
	int r;

	snprintf(src, sizeof(src), "%s/src", top);
	r = px_tree_open(src, &u->tree, &why);
	if (r == 0)
		r = px_cache_open(&cache, &u->cache, &why);
	if (r == 0)
		r = px_pool_start(&pool, &u->pool, &why);
	if (r < 0)
		fail_msg("%d: %s", r, why.text);
	u->o.tree = u->tree;
	u->o.cache = u->cache;
	u->o.pool = u->pool;
	assert_int_equal(px_content_new(&u->o, &u->c), 0);
}

static void end(struct unit_content *u)
{
	if (u->c)
		px_content_stop_new_work(u->c);
	px_pool_stop(u->pool);
	px_content_free(u->c);
	px_pool_free(u->pool);
	px_cache_close(u->cache);
	px_tree_close(u->tree);
	u->c = NULL;
	u->pool = NULL;
	u->cache = NULL;
	u->tree = NULL;
}

/* The same once more, as by the next mount: over the same cache. */
static void again(struct unit_content *u)
{
	end(u);
	memset(&u->stats, 0, sizeof(u->stats));
	begin(u);
}

static int teardown(void **state)
{
	struct unit_content *u = *state;
	int left, children;

	end(u);
	left = unit_n_fds() - u->n_fds;
	children = waitpid(-1, NULL, WNOHANG);
	free(u);
	if (left != 0 || children != -1)
		print_error("%d descriptors left, waitpid: %d\n", left,
			    children);
	return left != 0 || children != -1 ? -1 : 0;
}

static uint64_t count(struct unit_content *u, enum px_counter c)
{
	return px_stats_get(&u->stats, c);
}

static void answer_init(struct answer *a)
{
	memset(a, 0, sizeof(*a));
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
}

static void on_answer(void *arg, int err, const struct px_module *m)
{
	struct answer *a = arg;

	pthread_mutex_lock(&a->lock);
	a->n++;
	a->err = err;
	if (m)
		a->m = *m;
	if (m && m->blob && m->blob->size < sizeof(a->text))
		memcpy(a->text, m->blob->data, m->blob->size);
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* False: no answer within `ms`. */
static bool answered(struct answer *a, unsigned ms)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&a->lock);
	while (a->n == 0 && r == 0)
		r = pthread_cond_timedwait(&a->changed, &a->lock, &until);
	r = a->n > 0;
	pthread_mutex_unlock(&a->lock);
	return r;
}

/* Asks and waits. */
static struct answer get(struct unit_content *u, const char *path,
			 enum px_kind kind, enum px_want want)
{
	struct answer a;

	answer_init(&a);
	px_content_get(u->c, path, NULL, kind, want, on_answer, &a);
	if (!answered(&a, PATIENCE * 1000))
		fail_msg("no answer for %s", path);
	assert_int_equal(a.n, 1);
	return a;
}

static struct answer bytes(struct unit_content *u, const char *path)
{
	return get(u, path, PX_KIND_MODULE, PX_WANT_BYTES);
}

static struct answer size(struct unit_content *u, const char *path)
{
	return get(u, path, PX_KIND_MODULE, PX_WANT_SIZE);
}

/* Until a counter has reached `n`; else false. */
static bool reaches(struct unit_content *u, enum px_counter c, uint64_t n)
{
	for (int i = 0; i < PATIENCE * 100 && count(u, c) < n; i++)
		usleep(10000);
	return count(u, c) >= n;
}

/* ---------------------------------------------------------------- answers */

static void test_size_and_bytes(void **state)
{
	struct unit_content *u = *state;
	struct answer a;

	begin(u);
	a = bytes(u, "echo a.py");
	assert_int_equal(a.err, 0);
	assert_int_equal(a.m.kind, PX_BLOB_CODE);
	assert_string_equal(a.text, "source of a");
	assert_int_equal(a.m.attr.size, strlen("source of a"));
	assert_int_equal(a.m.attr.kind, PX_KIND_MODULE);
	assert_int_equal(a.m.attr.mode, 0644);
	assert_int_equal(a.m.attr.uid, geteuid());
	assert_int_equal(a.m.attr.mtime, 1700000000);
	assert_int_equal(a.m.source_size, strlen("source of a"));
	assert_true(a.m.tag != 0);
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	assert_int_equal(count(u, PX_COUNT_stat_hits), 0);
	/* Its size is known now, and so are its bytes. */
	a = size(u, "echo a.py");
	assert_int_equal(a.m.attr.size, strlen("source of a"));
	assert_null(a.m.blob);
	assert_int_equal(count(u, PX_COUNT_stat_hits), 1);
	a = bytes(u, "echo a.py");
	assert_string_equal(a.text, "source of a");
	assert_int_equal(count(u, PX_COUNT_stat_hits), 2);
	a = size(u, "echo b.py");
	assert_int_equal(a.m.attr.size, strlen("source of b"));
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
	assert_int_equal(count(u, PX_COUNT_source_reads), 2);
	assert_int_equal(count(u, PX_COUNT_rejected), 0);
}

static void test_attributes(void **state)
{
	struct unit_content *u = *state;
	struct px_attr attr;
	struct answer a;

	u->o.uid = 12345;
	u->o.gid = 54321;
	u->o.mtime = 5;
	begin(u);
	a = size(u, "echo a.py");
	assert_int_equal(a.m.attr.uid, 12345);
	assert_int_equal(a.m.attr.gid, 54321);
	assert_int_equal(a.m.attr.mtime, 315532800); /* 1980 */
	assert_int_equal(px_content_attr(u->c, "dir/data.txt", NULL,
					 PX_KIND_FILE, &attr),
			 0);
	assert_int_equal(attr.size, 4);
	assert_int_equal(attr.uid, 12345);
	assert_int_equal(px_content_attr(u->c, "dir", NULL, PX_KIND_DIR, &attr),
			 0);
	assert_int_equal(attr.mode, 0755);
	assert_int_equal(
		px_content_attr(u->c, "dir/data.txt", NULL, PX_KIND_DIR, &attr),
		-ESTALE);
	assert_int_equal(
		px_content_attr(u->c, "absent", NULL, PX_KIND_FILE, &attr),
		-ENOENT);
}

/* Seconds between the epoch and the time of a file with these bytes. */
static int64_t distance(const char *text)
{
	uint8_t sum[PX_CHECKSUM_SIZE];

	px_checksum(text, strlen(text), sum);
	return 2 * (int64_t)(px_get_le64(sum) % (1u << 23));
}

static int64_t file_time(struct unit_content *u, const char *path,
			 enum px_kind kind)
{
	struct px_attr attr = {0};

	assert_int_equal(px_content_attr(u->c, path, NULL, kind, &attr), 0);
	return attr.mtime;
}

static uint64_t n_notes(struct unit_content *u)
{
	struct px_cache_info info;

	assert_int_equal(px_cache_flush(u->cache), 0);
	assert_int_equal(px_cache_info(u->cache, &info), 0);
	return info.n_notes;
}

static void test_times_by_content(void **state)
{
	struct unit_content *u = *state;
	const int64_t epoch = 1700000000;

	u->o.mtime = epoch + 1; /* times are even */
	u->o.mtime_by_content = true;
	begin(u);
	assert_true(distance("source of a") != distance("source of b"));
	assert_true(bytes(u, "echo a.py").m.attr.mtime ==
		    epoch - distance("source of a"));
	assert_true(size(u, "echo b.py").m.attr.mtime ==
		    epoch - distance("source of b"));
	/* Of what is known without its bytes, too. */
	assert_true(size(u, "echo a.py").m.attr.mtime ==
		    epoch - distance("source of a"));
	again(u);
	assert_true(size(u, "echo a.py").m.attr.mtime ==
		    epoch - distance("source of a"));
	assert_int_equal(count(u, PX_COUNT_stat_hits), 1);
	assert_true(file_time(u, "dir", PX_KIND_DIR) == epoch);
	/* A file is read once, not by the next mount. */
	assert_int_equal(n_notes(u), 0);
	assert_true(file_time(u, "dir/data.txt", PX_KIND_FILE) ==
		    epoch - distance("data"));
	assert_int_equal(n_notes(u), 1);
	again(u);
	assert_true(file_time(u, "dir/data.txt", PX_KIND_FILE) ==
		    epoch - distance("data"));
	assert_int_equal(n_notes(u), 1);
	/* Equal bytes, equal times; a module is not read for it. */
	assert_true(file_time(u, "mixed/data.txt", PX_KIND_FILE) ==
		    epoch - distance("data"));
	assert_int_equal(n_notes(u), 2);
	assert_true(file_time(u, "echo change.py", PX_KIND_MODULE) == epoch);
	assert_int_equal(n_notes(u), 2);
	/* One that was written just now is read each time. */
	put("young.txt", "one");
	assert_true(file_time(u, "young.txt", PX_KIND_FILE) ==
		    epoch - distance("one"));
	put("young.txt", "two");
	assert_true(file_time(u, "young.txt", PX_KIND_FILE) ==
		    epoch - distance("two"));
	assert_int_equal(n_notes(u), 2);
}

/* No time is before 1980, and none is the same for all that would be. */
static void test_times_that_would_be_too_early(void **state)
{
	static const int64_t lowest = 315532800, all_fit = 315532800 + 16777214;
	static const struct {
		int64_t epoch, from;
		int sign;
	} rows[] = {
		{0, lowest, 1},
		{lowest, lowest, 1},
		{all_fit - 1, all_fit - 2, 1},
		{all_fit, all_fit, -1},
		{all_fit + 1, all_fit, -1},
		{4294967295, 4294967294, -1},
	};
	struct unit_content *u = *state;

	u->o.mtime_by_content = true;
	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		u->o.mtime = rows[i].epoch;
		begin(u);
		assert_true(file_time(u, "dir", PX_KIND_DIR) == rows[i].from);
		assert_true(file_time(u, "dir/data.txt", PX_KIND_FILE) ==
			    rows[i].from + rows[i].sign * distance("data"));
		end(u);
	}
}

static void test_source_errors(void **state)
{
	static const struct {
		const char *path;
		int r;
	} cases[] = {
		{"absent.py", -ENOENT},
		{"absent/m.py", -ENOENT},
		{"dir", -EINVAL},
		{"../secret.py", -EXDEV},
	};
	struct unit_content *u = *state;
	struct px_module m;

	begin(u);
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct answer a = bytes(u, cases[i].path);

		print_message("%s: %d\n", cases[i].path, a.err);
		assert_int_equal(a.err, cases[i].r);
		assert_int_equal(size(u, cases[i].path).err, cases[i].r);
		assert_int_equal(px_content_peek(u->c, cases[i].path, NULL,
						 PX_KIND_MODULE, PX_WANT_SIZE,
						 &m),
				 cases[i].r);
	}
	assert_int_equal(count(u, PX_COUNT_source_reads), 0);
}

static void test_peek(void **state)
{
	struct unit_content *u = *state;
	struct px_module m;

	begin(u);
	assert_int_equal(px_content_peek(u->c, "echo a.py", NULL,
					 PX_KIND_MODULE, PX_WANT_SIZE, &m),
			 -ENOENT);
	assert_int_equal(count(u, PX_COUNT_source_reads), 0);
	bytes(u, "echo a.py");
	assert_int_equal(px_content_peek(u->c, "echo a.py", NULL,
					 PX_KIND_MODULE, PX_WANT_SIZE, &m),
			 0);
	assert_int_equal(m.kind, PX_BLOB_CODE);
	assert_int_equal(m.attr.size, strlen("source of a"));
	assert_null(m.blob);
	assert_true(m.tag == bytes(u, "echo a.py").m.tag);
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
}

struct asker {
	pthread_t thread;
	struct unit_content *u;
	pthread_barrier_t *together;
	struct answer a;
};

static void *ask(void *arg)
{
	struct asker *k = arg;

	pthread_barrier_wait(k->together);
	px_content_get(k->u->c, "echo once.py", NULL, PX_KIND_MODULE,
		       PX_WANT_BYTES, on_answer, &k->a);
	return NULL;
}

static void test_fifty_at_once(void **state)
{
	struct asker *askers = calloc(N_THREADS, sizeof(*askers));
	struct unit_content *u = *state;
	pthread_barrier_t together;

	begin(u);
	pthread_barrier_init(&together, NULL, N_THREADS);
	for (int i = 0; i < N_THREADS; i++) {
		struct asker *k = &askers[i];

		k->u = u;
		k->together = &together;
		answer_init(&k->a);
		assert_int_equal(pthread_create(&k->thread, NULL, ask, k), 0);
	}
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
		assert_true(answered(&askers[i].a, PATIENCE * 1000));
		assert_int_equal(askers[i].a.n, 1);
		assert_int_equal(askers[i].a.err, 0);
		assert_string_equal(askers[i].a.text, "compiled once");
	}
	pthread_barrier_destroy(&together);
	free(askers);
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	/* Everybody waited, or came when it was known. */
	assert_int_equal(count(u, PX_COUNT_joined) +
				 count(u, PX_COUNT_stat_hits) +
				 count(u, PX_COUNT_source_reads),
			 N_THREADS);
}

/* ------------------------------------------------------------- the cache */

static void test_next_mount(void **state)
{
	static const char *const paths[] = {"echo a.py", "echo b.py",
					    "dir/echo a.py", "reject.py"};
	const size_t n = PX_ARRAY_LEN(paths);
	struct unit_content *u = *state;
	struct answer first[4], a;

	begin(u);
	for (size_t i = 0; i < n; i++)
		first[i] = bytes(u, paths[i]);
	assert_int_equal(count(u, PX_COUNT_compiled), n);
	again(u);
	for (size_t i = 0; i < n; i++) {
		a = size(u, paths[i]);
		assert_int_equal(a.err, 0);
		assert_int_equal(a.m.kind, first[i].m.kind);
		assert_int_equal(a.m.attr.size, first[i].m.attr.size);
		a = bytes(u, paths[i]);
		assert_string_equal(a.text, first[i].text);
		assert_true(a.m.tag == first[i].m.tag);
	}
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
	assert_int_equal(count(u, PX_COUNT_source_reads), 0);
	assert_int_equal(count(u, PX_COUNT_stat_hits), 2 * n);
}

static void test_profile_is_part_of_the_key(void **state)
{
	struct unit_content *u = *state;
	struct px_rules *rules;
	const char *what;

	begin(u);
	bytes(u, "echo a.py");
	u->o.optimize = 1;
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	u->o.mode = PX_PYC_CHECKED_HASH;
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	u->o.prefix = "/opt";
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	u->o.canonical = false;
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	u->fake.version = (char *)(uintptr_t) "3.9.0+ (fake)";
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	/* Another build of the same Python. */
	u->fake.version = (char *)(uintptr_t) "3.9.0+ (another day)";
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
	/* One that compiles differently. */
	u->fake.canary = (char *)(uintptr_t) "0124";
	u->fake.libpython = (char *)(uintptr_t) "canary";
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	/* 3.9 has no columns to leave out. */
	u->o.debug_ranges = true;
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
	assert_int_equal(px_rules_new(&rules), 0);
	assert_int_equal(
		px_rules_add(rules, PX_RULE_OPTIMIZE, 0, "echo a.py", &what),
		0);
	u->o.rules = rules;
	again(u);
	bytes(u, "echo a.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	/* What that rule does not match is as it was. */
	bytes(u, "echo b.py");
	u->o.rules = NULL;
	again(u);
	bytes(u, "echo b.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
	px_rules_free(rules);
}

/* Without a canonical form the name is part of the code: same bytes, another
 * module. */
static void test_name_is_part_of_the_key(void **state)
{
	struct unit_content *u = *state;

	begin(u);
	bytes(u, "times/echo.py");
	bytes(u, "later/echo.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
}

/* ------------------------------------------------- equal sources, one blob */

/* 3.9, whose bytecode has a canonical form. */
#define MAGIC_3_9 0x0a0d0d61

static void begin_canonical(struct unit_content *u)
{
	u->fake.magic = MAGIC_3_9;
	u->fake.libpython = (char *)(uintptr_t) "magic-3.9";
	begin(u);
}

/* Whether these are the bytes that "nameless" gives for the path and source, as
 * far as they can be told: text ends at the first NUL. */
static void check_nameless(const struct answer *a, const char *name,
			   const char *source)
{
	char tail[300];
	const size_t n = (size_t)snprintf(tail, sizeof(tail), "cz%c%s%s",
					  (int)strlen(name), name, source);

	assert_int_equal(a->err, 0);
	assert_int_equal(a->m.kind, PX_BLOB_CODE);
	assert_int_equal(a->m.attr.size, PX_PYC_HEADER_SIZE + n);
	assert_memory_equal(a->text + PX_PYC_HEADER_SIZE, tail, n);
}

static void test_equal_sources_compile_once(void **state)
{
	struct unit_content *u = *state;
	struct answer a, b;

	begin_canonical(u);
	a = bytes(u, "nameless a.py");
	b = bytes(u, "dir4/nameless b.py");
	check_nameless(&a, "nameless a.py", "alike");
	check_nameless(&b, "dir4/nameless b.py", "alike");
	assert_true(a.m.tag != b.m.tag);
	assert_memory_equal(a.m.key, b.m.key, PX_DIGEST_SIZE);
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	assert_int_equal(count(u, PX_COUNT_blob_hits), 1);
	/* Sizes without bytes have the name, too, also with another prefix. */
	u->o.prefix = "/opt";
	again(u);
	a = size(u, "nameless a.py");
	assert_null(a.m.blob);
	assert_int_equal(a.m.attr.size, bytes(u, "nameless a.py").m.attr.size);
	a = bytes(u, "nameless a.py");
	check_nameless(&a, "/opt/nameless a.py", "alike");
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
	assert_int_equal(count(u, PX_COUNT_source_reads), 0);
}

static void test_peek_and_bytes_have_the_name(void **state)
{
	struct unit_content *u = *state;
	struct px_module m;
	struct px_blob *b;
	struct answer a;

	begin_canonical(u);
	a = bytes(u, "nameless a.py");
	assert_int_equal(px_content_peek(u->c, "nameless a.py", NULL,
					 PX_KIND_MODULE, PX_WANT_BYTES, &m),
			 0);
	assert_int_equal(m.attr.size, a.m.attr.size);
	assert_int_equal(m.blob->size, a.m.attr.size);
	assert_memory_equal(m.blob->data, a.text, m.blob->size);
	assert_true(m.tag == a.m.tag);
	px_blob_unref(m.blob);
	assert_int_equal(px_content_bytes(u->c, "nameless a.py", m.key, &b), 0);
	assert_int_equal(b->size, a.m.attr.size);
	assert_memory_equal(b->data, a.text, b->size);
	px_blob_unref(b);
	m.key[0] ^= 1;
	assert_int_equal(px_content_bytes(u->c, "nameless a.py", m.key, &b),
			 -ENOENT);
}

/* Asks for all of them before the first is there. */
static void ask_at_once(struct unit_content *u, const char *const *paths,
			struct answer *ret, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		answer_init(&ret[i]);
		px_content_get(u->c, paths[i], NULL, PX_KIND_MODULE,
			       PX_WANT_BYTES, on_answer, &ret[i]);
	}
	for (size_t i = 0; i < n; i++) {
		assert_true(answered(&ret[i], PATIENCE * 1000));
		assert_int_equal(ret[i].n, 1);
	}
}

/* Hard links have one fingerprint. */
static void test_two_names_of_one_file(void **state)
{
	static const char *const paths[] = {"linked/work-nameless a.py",
					    "linked/work-nameless bb.py"};
	struct unit_content *u = *state;
	struct answer a, b, at_once[2];

	begin_canonical(u);
	a = bytes(u, paths[0]);
	b = bytes(u, paths[1]);
	check_nameless(&a, paths[0], "a file with two names");
	check_nameless(&b, paths[1], "a file with two names");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	assert_int_equal(count(u, PX_COUNT_stat_hits), 1);
	u->o.mode = PX_PYC_CHECKED_HASH;
	again(u);
	ask_at_once(u, paths, at_once, 2);
	for (size_t i = 0; i < 2; i++)
		check_nameless(&at_once[i], paths[i], "a file with two names");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
}

static void test_equal_sources_at_once(void **state)
{
	static const char *const paths[] = {"work-nameless a.py",
					    "dir4/work-nameless b.py",
					    "dir4/work-nameless c.py"};
	struct unit_content *u = *state;
	struct answer a[3];

	begin_canonical(u);
	ask_at_once(u, paths, a, 3);
	for (size_t i = 0; i < 3; i++)
		check_nameless(&a[i], paths[i], "at once");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	assert_int_equal(count(u, PX_COUNT_blob_hits), 2);
	/* All three are in the index. */
	again(u);
	for (size_t i = 0; i < 3; i++) {
		struct answer b = bytes(u, paths[i]);

		check_nameless(&b, paths[i], "at once");
	}
	assert_int_equal(count(u, PX_COUNT_source_reads), 0);
}

/* A module that has no canonical form, although its Python has one. */
static void test_equal_sources_with_a_name_in_them(void **state)
{
	static const char *const paths[] = {"work a.py", "dir4/work b.py"};
	struct unit_content *u = *state;
	struct answer a[2];

	begin_canonical(u);
	ask_at_once(u, paths, a, 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(a[i].text, "with a name");
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
	assert_int_equal(count(u, PX_COUNT_blob_hits), 0);
	assert_memory_not_equal(a[0].m.key, a[1].m.key, PX_DIGEST_SIZE);
	/* They are found by content, and not by the fingerprint. */
	again(u);
	ask_at_once(u, paths, a, 2);
	assert_string_equal(a[0].text, "with a name");
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
	assert_int_equal(count(u, PX_COUNT_stat_hits), 0);
	assert_int_equal(count(u, PX_COUNT_blob_hits), 2);
	u->o.prefix = "/opt";
	again(u);
	ask_at_once(u, paths, a, 2);
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
}

/* Whoever waits for the leader is told that it will not come; so are those who
 * wait for a follower. */
static void test_followers_when_stopping(void **state)
{
	static const char *const paths[] = {"stall.py", "stall 2.py"};
	struct unit_content *u = *state;
	struct answer a[2];

	begin_canonical(u);
	for (size_t i = 0; i < 2; i++) {
		answer_init(&a[i]);
		px_content_get(u->c, paths[i], NULL, PX_KIND_MODULE,
			       PX_WANT_BYTES, on_answer, &a[i]);
	}
	assert_true(reaches(u, PX_COUNT_source_reads, 2));
	end(u);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].err, -ECANCELED);
	}
}

static void test_young_files_prove_nothing(void **state)
{
	struct unit_content *u = *state;
	struct px_module m;

	put("echo young.py", "young");
	begin(u);
	for (unsigned i = 0; i < 3; i++) {
		struct answer a = size(u, "echo young.py");

		assert_int_equal(a.err, 0);
		assert_int_equal(a.m.attr.size, 5);
		assert_int_equal(count(u, PX_COUNT_source_reads), i + 1);
		assert_int_equal(count(u, PX_COUNT_blob_hits), i);
	}
	assert_int_equal(count(u, PX_COUNT_stat_hits), 0);
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	assert_int_equal(px_content_peek(u->c, "echo young.py", NULL,
					 PX_KIND_MODULE, PX_WANT_SIZE, &m),
			 -ENOENT);
	again(u);
	assert_string_equal(bytes(u, "echo young.py").text, "young");
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
	assert_int_equal(count(u, PX_COUNT_blob_hits), 1);
	/* In time it does. */
	usleep(2100000);
	bytes(u, "echo young.py");
	bytes(u, "echo young.py");
	assert_int_equal(count(u, PX_COUNT_stat_hits), 1);
}

static void test_change_is_noticed(void **state)
{
	struct unit_content *u = *state;
	struct answer before, after;

	begin(u);
	before = bytes(u, "echo change.py");
	assert_string_equal(before.text, "before");
	/* As long, and with the same time. */
	put("echo change.py", "AFTER!");
	after = bytes(u, "echo change.py");
	assert_string_equal(after.text, "AFTER!");
	assert_true(before.m.tag != after.m.tag);
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
	/* Back to what is known. */
	put("echo change.py", "before");
	after = bytes(u, "echo change.py");
	assert_string_equal(after.text, "before");
	assert_true(before.m.tag == after.m.tag);
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
}

/* Where LMDB keeps it: cache.h does not say, so look for it. */
static int damage(const char *path, const struct stat *st, int type PX_UNUSED,
		  struct FTW *w PX_UNUSED)
{
	static const char text[] = "a payload to be damaged";
	const size_t n = (size_t)st->st_size;
	int fd, done = 0;
	uint8_t *data;
	uint8_t *at;

	if (!S_ISREG(st->st_mode) || !strstr(path, "data.mdb"))
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC);
	data = malloc(n);
	assert_int_equal(px_read_full(fd, data, n), n);
	for (at = data;
	     (at = memmem(at, n - (size_t)(at - data), text, sizeof(text) - 1));
	     at++, done++)
		assert_int_equal(pwrite(fd, "A", 1, at - data), 1);
	close(fd);
	free(data);
	assert_true(done > 0);
	return 0;
}

static void test_damage_is_repaired(void **state)
{
	struct unit_content *u = *state;
	struct answer a;

	begin(u);
	bytes(u, "echo damaged.py");
	bytes(u, "echo a.py");
	end(u);
	nftw(u->dir, damage, 8, FTW_PHYS);
	memset(&u->stats, 0, sizeof(u->stats));
	begin(u);
	a = bytes(u, "echo damaged.py");
	assert_int_equal(a.err, 0);
	assert_string_equal(a.text, "a payload to be damaged");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	assert_int_equal(count(u, PX_COUNT_cache_damaged), 1);
	assert_string_equal(bytes(u, "echo a.py").text, "source of a");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	again(u);
	a = bytes(u, "echo damaged.py");
	assert_string_equal(a.text, "a payload to be damaged");
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
}

static void test_timestamps(void **state)
{
	struct unit_content *u = *state;

	put_at("touched/echo.py", "same", 1700000000);
	u->o.mode = PX_PYC_TIMESTAMP;
	begin(u);
	bytes(u, "touched/echo.py");
	put_at("touched/echo.py", "same", 1700000001);
	bytes(u, "touched/echo.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
	u->o.mode = PX_PYC_UNCHECKED_HASH;
	again(u);
	bytes(u, "touched/echo.py");
	put_at("touched/echo.py", "same", 1700000002);
	bytes(u, "touched/echo.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
}

/* ------------------------------------------------------------- refusals */

static int stderr_to(const char *path)
{
	const int saved = dup(2);
	const int fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);

	fflush(stderr);
	dup2(fd, 2);
	close(fd);
	return saved;
}

static unsigned count_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "r");
	char line[2000];
	unsigned n = 0;

	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

static void test_refusal(void **state)
{
	struct unit_content *u = *state;
	struct answer a[3];
	char log[300];
	int saved;

	snprintf(log, sizeof(log), "%s/log", u->dir);
	begin(u);
	saved = stderr_to(log);
	for (int i = 0; i < 3; i++)
		a[i] = i % 2 ? size(u, "reject.py") : bytes(u, "reject.py");
	bytes(u, "mixed/reject bad.py");
	dup2(saved, 2);
	close(saved);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(a[i].err, 0);
		assert_int_equal(a[i].m.kind, PX_BLOB_REJECTED);
		assert_int_equal(a[i].m.attr.size, 0);
		assert_string_equal(a[i].text, "no good");
	}
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
	assert_int_equal(count(u, PX_COUNT_rejected), 2);
	assert_int_equal(count_text(log, "reject.py:3:4: no good"), 1);
	assert_int_equal(count_text(log, "reject bad.py:3:4: bad"), 1);
	assert_int_equal(count_text(log, "--on-error"), 1);
	/* The next mount says it again, without compiling it again. */
	again(u);
	saved = stderr_to(log);
	bytes(u, "reject.py");
	size(u, "reject.py");
	dup2(saved, 2);
	close(saved);
	assert_int_equal(count_text(log, "reject.py:3:4: no good"), 2);
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
}

static void test_deadline_is_tried_by_the_next_mount(void **state)
{
	struct unit_content *u = *state;
	struct answer a;

	u->timeout_ms = 200;
	begin(u);
	for (int i = 0; i < 3; i++) {
		a = bytes(u, "stall.py");
		assert_int_equal(a.err, 0);
		assert_int_equal(a.m.kind, PX_BLOB_FAILED);
		assert_int_equal(a.m.attr.size, 0);
		assert_non_null(strstr(a.text, "0.200 seconds"));
	}
	assert_int_equal(count(u, PX_COUNT_timeouts), 1);
	again(u);
	a = bytes(u, "stall.py");
	assert_int_equal(a.m.kind, PX_BLOB_FAILED);
	assert_int_equal(count(u, PX_COUNT_timeouts), 1);
}

/* ---------------------------------------------------------------- views */

struct shown {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n;
	int err;
	char names[300]; /* with a bar behind each */
};

static void on_shown(void *arg, int err, struct px_view *v)
{
	struct shown *s = arg;

	pthread_mutex_lock(&s->lock);
	s->n++;
	s->err = err;
	for (size_t i = 0; v && i < px_view_count(v); i++) {
		const size_t n = strlen(s->names);

		snprintf(s->names + n, sizeof(s->names) - n, "%s|",
			 px_view_at(v, i)->name);
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void apply_verdicts(struct unit_content *u, struct shown *s)
{
	struct px_fingerprint fp;
	struct px_view *v;
	bool stable;

	*s = (struct shown){.err = 1};
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	assert_int_equal(
		px_content_view(u->c, "mixed", PX_KIND_DIR, &v, &fp, &stable),
		0);
	px_content_apply_verdicts(u->c, "mixed", v, on_shown, s);
	px_view_unref(v);
	pthread_mutex_lock(&s->lock);
	while (s->n == 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	assert_int_equal(s->n, 1);
}

static void test_verdicts(void **state)
{
	static const struct {
		enum px_on_error how;
		const char *names;
	} cases[] = {
		{PX_ON_ERROR_FAIL, "data.txt|echo good.pyc|reject bad.pyc|"},
		{PX_ON_ERROR_SOURCE, "data.txt|echo good.pyc|reject bad.py|"},
		{PX_ON_ERROR_OMIT, "data.txt|echo good.pyc|"},
	};
	struct unit_content *u = *state;
	struct shown s;

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		u->o.on_error = cases[i].how;
		begin(u);
		apply_verdicts(u, &s);
		assert_int_equal(s.err, 0);
		assert_string_equal(s.names, cases[i].names);
		apply_verdicts(u, &s);
		assert_string_equal(s.names, cases[i].names);
		end(u);
	}
	assert_int_equal(count(u, PX_COUNT_compiled), 2);
}

static void test_verdicts_when_stopping(void **state)
{
	struct unit_content *u = *state;
	struct shown s;

	u->o.on_error = PX_ON_ERROR_OMIT;
	begin(u);
	px_content_stop_new_work(u->c);
	px_pool_stop(u->pool);
	apply_verdicts(u, &s);
	assert_int_equal(s.err, -ECANCELED);
	assert_string_equal(s.names, "");
}

/* ----------------------------------------------------------------- ahead */

static void test_ahead(void **state)
{
	struct unit_content *u = *state;

	u->o.ahead = true;
	begin(u);
	bytes(u, "dir/echo a.py");
	assert_true(reaches(u, PX_COUNT_compiled, 3));
	usleep(200000);
	/* Not what lies below nor beside. */
	assert_int_equal(count(u, PX_COUNT_compiled), 3);
	assert_int_equal(count(u, PX_COUNT_ahead), 2);
	px_content_flush(u->c);
	assert_string_equal(bytes(u, "dir/echo b.py").text, "two");
	assert_string_equal(bytes(u, "dir/echo c.py").text, "three");
	assert_int_equal(count(u, PX_COUNT_compiled), 3);
	assert_int_equal(count(u, PX_COUNT_stat_hits), 2);
	bytes(u, "dir/sub/echo d.py");
	bytes(u, "dir2/echo e.py");
	assert_int_equal(count(u, PX_COUNT_compiled), 5);
}

static void test_not_ahead(void **state)
{
	struct unit_content *u = *state;

	begin(u);
	bytes(u, "dir/echo a.py");
	usleep(200000);
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
	assert_int_equal(count(u, PX_COUNT_ahead), 0);
}

static void test_nothing_ahead_after_stop_new_work(void **state)
{
	struct unit_content *u = *state;

	u->o.ahead = true;
	begin(u);
	px_content_stop_new_work(u->c);
	bytes(u, "dir/echo a.py");
	usleep(100000);
	assert_int_equal(count(u, PX_COUNT_compiled), 1);
}

/* -------------------------------------------------------------- stopping */

static void test_stop_answers_everybody(void **state)
{
	struct unit_content *u = *state;
	struct answer a[10], after;

	u->n_workers = 1;
	u->o.ahead = true;
	begin(u);
	for (int i = 0; i < 10; i++) {
		answer_init(&a[i]);
		px_content_get(u->c,
			       i < 5   ? "stall.py"
			       : i < 8 ? "stall 2.py"
				       : "echo a.py",
			       NULL, PX_KIND_MODULE, PX_WANT_BYTES, on_answer,
			       &a[i]);
	}
	assert_false(answered(&a[9], 100));
	px_content_stop_new_work(u->c);
	px_pool_stop(u->pool);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].err, -ECANCELED);
	}
	after = bytes(u, "echo b.py");
	assert_int_equal(after.err, -ECANCELED);
	assert_int_equal(count(u, PX_COUNT_compiled), 0);
}

/* ---------------------------------------------------------- large sources */

/* It is a fact about the option: neither what the cache has nor what it is told
 * must make a difference. */
static void test_too_large(void **state)
{
	static const char text[] = "source of a"; /* of echo a.py */
	struct unit_content *u = *state;
	struct answer a;

	u->o.max_source = sizeof(text) - 2;
	begin(u);
	for (int i = 0; i < 2; i++) {
		a = bytes(u, "echo a.py");
		assert_int_equal(a.err, 0);
		assert_int_equal(a.m.kind, PX_BLOB_FAILED);
		assert_int_equal(a.m.source_size, sizeof(text) - 1);
		assert_non_null(strstr(a.text, "11 bytes"));
		assert_non_null(strstr(a.text, "--max-source allows 10"));
	}
	a = bytes(u, "dir/echo a.py");
	assert_int_equal(a.m.kind, PX_BLOB_CODE);
}

static void test_too_large_is_not_stored(void **state)
{
	static const uint64_t sizes[] = {10, 11, 10, 0};
	struct unit_content *u = *state;
	struct px_module m;
	struct answer a;

	for (size_t i = 0; i < PX_ARRAY_LEN(sizes); i++) {
		const bool fits = sizes[i] != 10;

		u->o.max_source = sizes[i];
		if (i == 0)
			begin(u);
		else
			again(u);
		a = bytes(u, "echo a.py");
		assert_int_equal(a.err, 0);
		assert_int_equal(a.m.kind,
				 fits ? PX_BLOB_CODE : PX_BLOB_FAILED);
		assert_int_equal(px_content_peek(u->c, "echo a.py", NULL,
						 PX_KIND_MODULE, PX_WANT_SIZE,
						 &m),
				 fits ? 0 : -ENOENT);
		assert_int_equal(count(u, PX_COUNT_compiled), i == 1);
	}
}

/* With room for one source at a time, whoever asks does not wait for it. */
static void test_room_for_one(void **state)
{
	static const char *const names[] = {
		"echo a.py",	  "echo b.py",	   "dir/echo a.py",
		"dir/echo b.py",  "dir/echo c.py", "dir/sub/echo d.py",
		"dir2/echo e.py", "times/echo.py",
	};
	struct answer a[PX_ARRAY_LEN(names)], stalled;
	struct unit_content *u = *state;
	size_t i;

	u->o.in_flight = 1;
	u->timeout_ms = 300;
	begin(u);
	answer_init(&stalled);
	px_content_get(u->c, "stall.py", NULL, PX_KIND_MODULE, PX_WANT_BYTES,
		       on_answer, &stalled);
	for (i = 0; i < PX_ARRAY_LEN(names); i++) {
		answer_init(&a[i]);
		px_content_get(u->c, names[i], NULL, PX_KIND_MODULE,
			       PX_WANT_BYTES, on_answer, &a[i]);
	}
	/* There is a second worker, but nothing was read for it. */
	assert_int_equal(count(u, PX_COUNT_source_reads), 1);
	assert_true(answered(&stalled, PATIENCE * 1000));
	assert_int_equal(stalled.m.kind, PX_BLOB_FAILED);
	for (i = 0; i < PX_ARRAY_LEN(names); i++) {
		assert_true(answered(&a[i], PATIENCE * 1000));
		assert_int_equal(a[i].err, 0);
		assert_int_equal(a[i].m.kind, PX_BLOB_CODE);
	}
}

static void test_stop_while_there_is_no_room(void **state)
{
	struct unit_content *u = *state;
	struct answer a[10], after;

	u->o.in_flight = 1;
	u->o.ahead = true;
	begin(u);
	for (int i = 0; i < 10; i++) {
		answer_init(&a[i]);
		px_content_get(u->c,
			       i == 0  ? "stall.py"
			       : i < 5 ? "echo a.py"
			       : i < 8 ? "dir/echo a.py"
				       : "echo b.py",
			       NULL, PX_KIND_MODULE, PX_WANT_BYTES, on_answer,
			       &a[i]);
	}
	px_content_stop_new_work(u->c);
	px_pool_stop(u->pool);
	px_content_stop(u->c);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].err, -ECANCELED);
	}
	after = bytes(u, "dir2/echo e.py");
	assert_int_equal(after.err, -ECANCELED);
}

static void test_no_worker(void **state)
{
	struct unit_content *u = *state;
	struct answer a;

	begin(u);
	u->fake.libpython = (char *)(uintptr_t) "exit";
	for (int i = 0; i < 2; i++)
		(void)unit_kill_child();
	usleep(200000);
	a = bytes(u, "echo a.py");
	assert_int_equal(a.err, -EIO);
	/* That says nothing about the module. */
	u->fake.libpython = (char *)(uintptr_t) "ok";
	usleep(1200000);
	a = bytes(u, "echo a.py");
	assert_int_equal(a.err, 0);
	assert_string_equal(a.text, "source of a");
}

/* ---------------------------------------------------------------- python */

static void get_pyc(struct unit_content *u, const char *path, enum px_kind kind,
		    struct pyc_header *ret, const char *text)
{
	struct answer a = get(u, path, kind, PX_WANT_BYTES);
	const struct px_module *m = &a.m;

	assert_int_equal(a.err, 0);
	assert_int_equal(m->kind, PX_BLOB_CODE);
	assert_true(m->attr.size < sizeof(a.text));
	assert_int_equal(pyc_decode((const uint8_t *)a.text, m->attr.size, ret),
			 0);
	if (text)
		assert_non_null(
			memmem(a.text, m->attr.size, text, strlen(text)));
}

static void test_python(void **state)
{
	static const struct {
		enum px_pyc_mode mode;
		const char *prefix;
		const char *name;
	} cases[] = {
		{PX_PYC_UNCHECKED_HASH, "", "\x09real/m.py"},
		{PX_PYC_CHECKED_HASH, "/opt", "\x0e/opt/real/m.py"},
		{PX_PYC_TIMESTAMP, "/opt/", "\x0e/opt/real/m.py"},
		{PX_PYC_UNCHECKED_HASH, "a b",
		 "\x0d"
		 "a b/real/m.py"},
	};
	struct unit_content *u = *state;
	struct pyc_header h;

	u->o.python = python;
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		u->o.mode = cases[i].mode;
		u->o.prefix = cases[i].prefix;
		begin(u);
		get_pyc(u, "real/m.py", PX_KIND_MODULE, &h, cases[i].name);
		assert_int_equal(h.magic, python->magic);
		assert_int_equal(h.mode, cases[i].mode);
		if (h.mode == PX_PYC_TIMESTAMP) {
			assert_int_equal(h.mtime, 1700000001);
			assert_int_equal(h.source_size, 25);
		}
		/* Beside a kept source: valid whatever the times are. */
		get_pyc(u, "real/m.py", PX_KIND_KEPT, &h, cases[i].name);
		assert_int_equal(h.mode, PX_PYC_UNCHECKED_HASH);
		end(u);
	}
}

static void test_python_refusal(void **state)
{
	struct unit_content *u = *state;
	struct answer a;

	u->o.python = python;
	begin(u);
	a = bytes(u, "real/bad.py");
	assert_int_equal(a.err, 0);
	assert_int_equal(a.m.kind, PX_BLOB_REJECTED);
	assert_non_null(strstr(a.text, "SyntaxError"));
}

static void test_python_optimizes(void **state)
{
	struct unit_content *u = *state;
	struct pyc_header h;
	struct px_rules *rules;
	const char *what;
	struct answer a;

	assert_int_equal(px_rules_new(&rules), 0);
	assert_int_equal(
		px_rules_add(rules, PX_RULE_OPTIMIZE, 0, "m.py", &what), 0);
	u->o.python = python;
	begin(u);
	a = bytes(u, "real/m.py");
	assert_null(memmem(a.text, a.m.attr.size, "doc", 4));
	get_pyc(u, "real/m.py", PX_KIND_MODULE, &h, "constant");
	u->o.rules = rules;
	again(u);
	get_pyc(u, "real/m.py", PX_KIND_MODULE, &h,
		"\x03"
		"doc");
	end(u);
	px_rules_free(rules);
}

#define CONTENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTENT_TEST(test_size_and_bytes),
		CONTENT_TEST(test_attributes),
		CONTENT_TEST(test_times_by_content),
		CONTENT_TEST(test_times_that_would_be_too_early),
		CONTENT_TEST(test_source_errors),
		CONTENT_TEST(test_peek),
		CONTENT_TEST(test_fifty_at_once),
		CONTENT_TEST(test_next_mount),
		CONTENT_TEST(test_profile_is_part_of_the_key),
		CONTENT_TEST(test_name_is_part_of_the_key),
		CONTENT_TEST(test_equal_sources_compile_once),
		CONTENT_TEST(test_peek_and_bytes_have_the_name),
		CONTENT_TEST(test_two_names_of_one_file),
		CONTENT_TEST(test_equal_sources_at_once),
		CONTENT_TEST(test_equal_sources_with_a_name_in_them),
		CONTENT_TEST(test_followers_when_stopping),
		CONTENT_TEST(test_young_files_prove_nothing),
		CONTENT_TEST(test_change_is_noticed),
		CONTENT_TEST(test_damage_is_repaired),
		CONTENT_TEST(test_timestamps),
		CONTENT_TEST(test_refusal),
		CONTENT_TEST(test_deadline_is_tried_by_the_next_mount),
		CONTENT_TEST(test_verdicts),
		CONTENT_TEST(test_verdicts_when_stopping),
		CONTENT_TEST(test_ahead),
		CONTENT_TEST(test_not_ahead),
		CONTENT_TEST(test_nothing_ahead_after_stop_new_work),
		CONTENT_TEST(test_stop_answers_everybody),
		CONTENT_TEST(test_too_large),
		CONTENT_TEST(test_too_large_is_not_stored),
		CONTENT_TEST(test_room_for_one),
		CONTENT_TEST(test_stop_while_there_is_no_room),
		CONTENT_TEST(test_no_worker),
		CONTENT_TEST(test_python),
		CONTENT_TEST(test_python_refusal),
		CONTENT_TEST(test_python_optimizes),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
