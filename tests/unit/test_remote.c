/* SPDX-License-Identifier: MIT */
#include "chunk_unit.h"

#include "pycfs/remote.h"

#include <ftw.h>
#include <sys/stat.h>

struct fixture {
	struct unit_chunk chunk;
	char dir[60], url[80];
	struct px_stats stats;
	struct px_remote *r;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int n_told, err;
	bool was_right;
};

static void open_remote(struct fixture *f, bool signs)
{
	struct px_remote_options o = {
		.url = f->url,
		.trust = &f->chunk.secret.signer,
		.n_trust = 1,
		.sign = signs ? &f->chunk.secret : NULL,
		.stats = &f->stats,
		.finish_ms = 2000,
	};

	memset(&f->stats, 0, sizeof(f->stats));
	assert_int_equal(px_remote_open(&o, &f->r, NULL), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	unit_chunk_init(&f->chunk);
	strcpy(f->dir, "/tmp/pycfs-remote-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->url, sizeof(f->url), "file://%s/a/b", f->dir);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	*state = f;
	return 0;
}

static int remove_one(const char *path, PX_UNUSED const struct stat *st,
		      PX_UNUSED int type, PX_UNUSED struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	px_remote_free(f->r);
	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	unit_chunk_fini(&f->chunk);
	free(f);
	return 0;
}

static uint64_t count(struct fixture *f, enum px_counter c)
{
	return px_stats_get(&f->stats, c);
}

static void on_answer(void *arg, int err, struct px_blob *const *blobs,
		      const struct px_signer *by)
{
	struct fixture *f = arg;

	pthread_mutex_lock(&f->lock);
	if (err == 0)
		unit_same_blobs(&f->chunk, blobs);
	f->was_right = err != 0 || strcmp(by->name, "ci") == 0;
	f->err = err;
	f->n_told++;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* What it is told. */
static int ask(struct fixture *f)
{
	int r = px_remote_ask(f->r, f->chunk.keys, N_BLOBS, on_answer, f);

	if (r < 0)
		return r;
	pthread_mutex_lock(&f->lock);
	while (f->n_told == 0)
		pthread_cond_wait(&f->changed, &f->lock);
	assert_int_equal(f->n_told, 1);
	assert_true(f->was_right);
	f->n_told = 0;
	pthread_mutex_unlock(&f->lock);
	return f->err;
}

static void put(struct fixture *f)
{
	assert_int_equal(
		px_remote_put(f->r, f->chunk.keys, f->chunk.blobs, N_BLOBS), 0);
	px_remote_finish(f->r);
}

/* Where its only object is. */
static void find_object(struct fixture *f, char *ret, size_t n)
{
	uint8_t name[PX_DIGEST_SIZE];
	size_t used;

	px_chunk_name(f->chunk.keys, N_BLOBS, name);
	used = (size_t)snprintf(ret, n, "%s/a/b/pycfs1/", f->dir);
	for (size_t i = 0; i < PX_SIGNER_ID_SIZE; i++)
		used += (size_t)snprintf(ret + used, n - used, "%02x",
					 f->chunk.secret.signer.id[i]);
	used += (size_t)snprintf(ret + used, n - used, "/%02x/", name[0]);
	for (size_t i = 0; i < sizeof(name); i++)
		used += (size_t)snprintf(ret + used, n - used, "%02x", name[i]);
}

static void test_put_and_ask(void **state)
{
	struct fixture *f = *state;
	char path[300];
	struct stat st;

	open_remote(f, true);
	/* Whoever signs makes the place. */
	assert_int_equal(ask(f), -ENOENT);
	put(f);
	assert_int_equal(count(f, PX_COUNT_remote_pushed), 1);
	assert_int_equal(ask(f), 0);
	find_object(f, path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(count(f, PX_COUNT_remote_bytes), st.st_size);
	assert_int_equal(count(f, PX_COUNT_remote_modules), N_BLOBS);
	put(f); /* again */
	assert_int_equal(ask(f), 0);
	px_remote_free(f->r);
	open_remote(f, false);
	assert_int_equal(ask(f), 0);
}

/* Whoever uses an old object and may write keeps it from being deleted. */
static void test_old_ones_are_kept(void **state)
{
	struct fixture *f = *state;
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char path[300];
	struct stat st;

	open_remote(f, true);
	put(f);
	find_object(f, path, sizeof(path));
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(ask(f), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_mtime > 1);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	px_remote_free(f->r);
	open_remote(f, false);
	assert_int_equal(ask(f), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mtime, 1);
}

static void test_no_directory(void **state)
{
	struct fixture *f = *state;

	open_remote(f, false);
	assert_int_equal(ask(f), -ENOENT);
	assert_int_equal(count(f, PX_COUNT_remote_errors), 1);
	assert_false(px_remote_answers(f->r));
	assert_int_equal(ask(f), -EHOSTDOWN);
}

/* What is in the place of the object: a piece of it, a fifo, a link, a
 * directory. */
static void damage(struct fixture *f, int how)
{
	char path[300], elsewhere[320];

	find_object(f, path, sizeof(path));
	snprintf(elsewhere, sizeof(elsewhere), "%s.x", path);
	if (how == 0) {
		assert_int_equal(truncate(path, 100), 0);
		return;
	}
	assert_int_equal(rename(path, elsewhere), 0);
	if (how == 1)
		assert_int_equal(mkfifo(path, 0600), 0);
	else if (how == 2)
		assert_int_equal(symlink(elsewhere, path), 0);
	else if (how == 3)
		assert_int_equal(mkdir(path, 0700), 0);
}

static void test_damage(void **state)
{
	struct fixture *f = *state;

	for (int how = 0; how < 4; how++) {
		print_message("%d\n", how);
		snprintf(f->url, sizeof(f->url), "file://%s/a/b", f->dir);
		open_remote(f, true);
		put(f);
		damage(f, how);
		assert_int_equal(ask(f), -ENOENT);
		assert_int_equal(count(f, PX_COUNT_remote_refused), 1);
		assert_false(px_remote_answers(f->r));
		px_remote_free(PX_STEAL(f->r));
		nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		assert_int_equal(mkdir(f->dir, 0700), 0);
	}
}

/* One that failed before does not count once it has answered. */
static void test_three_in_a_row(void **state)
{
	struct fixture *f = *state;
	char path[80];

	open_remote(f, true);
	put(f);
	snprintf(path, sizeof(path), "%s/a", f->dir);
	for (int i = 0; i < 5; i++) {
		/* A file where a directory was: that is no miss. */
		char away[90];
		int fd;

		snprintf(away, sizeof(away), "%s.away", path);
		assert_int_equal(rename(path, away), 0);
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(ask(f), -ENOENT);
		if (i % 2 == 1)
			assert_int_equal(ask(f), -ENOENT);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rename(away, path), 0);
		if (px_remote_answers(f->r))
			assert_int_equal(ask(f), 0);
	}
}

static void test_unwritable(void **state)
{
	struct fixture *f = *state;
	int fd;

	/* A file where a directory has to be. */
	open_remote(f, true);
	snprintf(f->url, sizeof(f->url), "%s/a", f->dir);
	fd = open(f->url, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	put(f);
	assert_int_equal(count(f, PX_COUNT_remote_pushed), 0);
	assert_int_equal(count(f, PX_COUNT_remote_unpushed), 1);
}

static void test_stop(void **state)
{
	struct fixture *f = *state;
	int told;

	open_remote(f, true);
	put(f);
	for (int i = 0; i < 200; i++)
		assert_int_equal(px_remote_ask(f->r, f->chunk.keys, N_BLOBS,
					       on_answer, f),
				 0);
	px_remote_stop(f->r);
	pthread_mutex_lock(&f->lock);
	told = f->n_told;
	pthread_mutex_unlock(&f->lock);
	assert_int_equal(told, 200);
	assert_int_equal(
		px_remote_ask(f->r, f->chunk.keys, N_BLOBS, on_answer, f),
		-EHOSTDOWN);
	assert_int_equal(
		px_remote_put(f->r, f->chunk.keys, f->chunk.blobs, N_BLOBS),
		-ECANCELED);
}

static void test_urls(void **state PX_UNUSED)
{
	static const struct {
		const char *url;
		int expected;
	} cases[] = {
		{"file:///x", 0},
		{"file:///x/y/", 0},
		{"file://x", -EINVAL},
		{"file:x", -EPROTONOSUPPORT},
		{"/x", -EPROTONOSUPPORT},
		{"", -EPROTONOSUPPORT},
		{"ftp://h/p", -EPROTONOSUPPORT},
		{"s3://b", 0},
		{"s3://b/p/q/", 0},
		{"s3://b/p?endpoint=http://h:9000&region=eu-west-1", 0},
		{"s3://", -EINVAL},
		{"s3:///p", -EINVAL},
		{"s3://b/a b", -EINVAL},
		{"s3://b/%20", -EINVAL},
		{"s3://b?x=1", -EINVAL},
		{"s3://b?endpoint=h", -EINVAL},
		{"s3://b?endpoint=https://h/p", -EINVAL},
		{"s3://b?endpoint=https://u@h", -EINVAL},
		{"s3://b?region=", -EINVAL},
		{"s3://b?region=a/b", -EINVAL},
		{"https://h/p", 0},
		{"HTTP://h:80/p/?layout=bazel", 0},
		{"https://h", 0},
		{"https://", -EINVAL},
		{"https:///p", -EINVAL},
		{"https://u:p@h/p", -EINVAL},
		{"https://u@h/p", -EINVAL},
		{"https://h/u@p", 0},
		{"https://h/p?x", -EINVAL},
		{"https://h/p#x", -EINVAL},
		{"https://h/a b", -EINVAL},
		{"https://h/a\nb", -EINVAL},
	};
	struct px_why why;

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++)
		assert_int_equal(px_remote_check_url(cases[i].url, &why),
				 cases[i].expected);
	/* A token is sent to nobody over http, but to this machine. */
	setenv("PYCFS_REMOTE_TOKEN", "secret", 1);
	assert_int_equal(px_remote_check_url("http://h/p", &why), -EPERM);
	assert_int_equal(px_remote_check_url("http://localhost.h/p", &why),
			 -EPERM);
	assert_int_equal(px_remote_check_url("https://h/p", &why), 0);
	assert_int_equal(px_remote_check_url("http://localhost:80/p", &why), 0);
	assert_int_equal(px_remote_check_url("http://[::1]/p", &why), 0);
	unsetenv("PYCFS_REMOTE_TOKEN");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put_and_ask),	   TEST(test_old_ones_are_kept),
		TEST(test_no_directory),   TEST(test_damage),
		TEST(test_three_in_a_row), TEST(test_unwritable),
		TEST(test_stop),	   cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
