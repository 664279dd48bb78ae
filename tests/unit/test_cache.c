/* SPDX-License-Identifier: MIT */
#include "cache_unit.h"

#include <dirent.h>

static const size_t sizes[] = {0, 1, 10, 1900, 2100, 5000, 300000};

static void put_all(struct px_cache *c)
{
	for (unsigned i = 0; i < PX_ARRAY_LEN(sizes); i++)
		unit_put(c, i, sizes[i], true);
}

static void assert_all(struct px_cache *c)
{
	for (unsigned i = 0; i < PX_ARRAY_LEN(sizes); i++) {
		assert_int_equal(unit_get(c, i, sizes[i]), 0);
		assert_int_equal(unit_get_index(c, i, sizes[i]), 0);
	}
}

static void test_put_flush_reopen(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_info info;

	unit_open(u);
	assert_int_equal(unit_get(u->c, 0, 0), -ENOENT);
	put_all(u->c);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(px_cache_queued(u->c), 0);
	assert_all(u->c);
	unit_reopen(u);
	assert_all(u->c);
	assert_int_equal(unit_get(u->c, 99, 0), -ENOENT);
	assert_int_equal(unit_get_index(u->c, 99, 0), -ENOENT);
	info = unit_info(u->c);
	assert_int_equal(info.n_blobs, PX_ARRAY_LEN(sizes));
	assert_int_equal(info.n_index, PX_ARRAY_LEN(sizes));
	assert_int_equal(info.n_rejected, 0);
	assert_int_equal(info.max_bytes, u->max_bytes);
	assert_int_equal(info.blob_bytes,
			 309011 + PX_ARRAY_LEN(sizes) * PX_BLOB_STORED_HEADER);
	assert_true(info.file_bytes > info.blob_bytes);
	assert_int_equal(unit_count(u, PX_COUNT_cache_stored),
			 PX_ARRAY_LEN(sizes));
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 0);
	assert_int_equal(px_cache_was_rebuilt(u->c), 0);
}

static void test_close_commits(void **state)
{
	struct unit_cache *u = *state;

	u->tuning.delay_ms = 3600000;
	unit_open(u);
	put_all(u->c);
	unit_reopen(u);
	assert_all(u->c);
}

static void test_pending_is_readable(void **state)
{
	struct unit_cache *u = *state;

	u->tuning.delay_ms = 3600000;
	unit_open(u);
	put_all(u->c);
	assert_all(u->c);
	assert_int_equal(unit_info(u->c).n_blobs, 0);
	assert_true(px_cache_queued(u->c) > 300000);
	/* Again: the same, not twice. */
	put_all(u->c);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_info(u->c).n_blobs, PX_ARRAY_LEN(sizes));
	put_all(u->c);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_stored),
			 PX_ARRAY_LEN(sizes));
}

static void test_commits_by_itself(void **state)
{
	struct unit_cache *u = *state;
	int64_t until = px_now_ms() + 20000;

	u->tuning.delay_ms = 20;
	unit_open(u);
	put_all(u->c);
	while (px_cache_queued(u->c) > 0 && px_now_ms() < until)
		usleep(1000);
	assert_int_equal(unit_info(u->c).n_blobs, PX_ARRAY_LEN(sizes));
}

static void test_commits_when_much(void **state)
{
	struct unit_cache *u = *state;
	int64_t until = px_now_ms() + 20000;

	u->tuning.delay_ms = 3600000;
	unit_open(u);
	for (unsigned i = 0; i < 5; i++)
		unit_put(u->c, i, PX_CACHE_BATCH_BYTES / 4, false);
	while (unit_info(u->c).n_blobs == 0 && px_now_ms() < until)
		usleep(1000);
	assert_true(unit_info(u->c).n_blobs > 0);
}

static void test_index_needs_its_blob(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_entry e = {.kind = PX_BLOB_CODE, .size = 10};
	struct px_cache_entry got;
	uint8_t index[PX_DIGEST_SIZE];

	unit_open(u);
	unit_key(1, e.key);
	unit_key(2, index);
	px_cache_put(u->c, e.key, NULL, 0, index, &e);
	for (int i = 0; i < 2; i++) {
		/* The entry is queued, then stored; its blob is neither. */
		assert_int_equal(px_cache_index_get(u->c, index, &got),
				 -ENOENT);
		assert_int_equal(px_cache_flush(u->c), 0);
	}
	assert_int_equal(unit_info(u->c).n_index, 1);
	/* A blob of another size than the entry says. */
	unit_put(u->c, 1, 11, false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(px_cache_index_get(u->c, index, &got),
				 -ENOENT);
		assert_int_equal(px_cache_flush(u->c), 0);
	}
	/* A new entry for the blob that is stored, in place of the old. */
	e.size = 11;
	px_cache_put(u->c, e.key, NULL, 0, index, &e);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(px_cache_index_get(u->c, index, &got), 0);
		assert_int_equal(got.size, 11);
		assert_memory_equal(got.key, e.key, sizeof(got.key));
		assert_int_equal(px_cache_flush(u->c), 0);
	}
	/* A stored entry whose blob is queued. */
	unit_key(3, e.key);
	px_cache_put(u->c, e.key, NULL, 0, index, &e);
	assert_int_equal(px_cache_flush(u->c), 0);
	unit_put(u->c, 3, 11, false);
	assert_int_equal(px_cache_index_get(u->c, index, &got), 0);
	assert_memory_equal(got.key, e.key, sizeof(got.key));
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 0);
}

static void test_rejected(void **state)
{
	struct unit_cache *u = *state;
	uint8_t key[PX_DIGEST_SIZE];
	struct px_blob *b = px_blob_new(PX_BLOB_REJECTED, 3, 4, "bad", 3);

	unit_key(7, key);
	unit_open(u);
	px_cache_put(u->c, key, b, 0, NULL, NULL);
	px_blob_unref(b);
	unit_reopen(u);
	assert_int_equal(px_cache_get(u->c, key, &b), 0);
	assert_int_equal(b->kind, PX_BLOB_REJECTED);
	assert_int_equal(b->line, 3);
	assert_int_equal(b->column, 4);
	assert_int_equal(b->size, 3);
	assert_memory_equal(b->data, "bad", 3);
	px_blob_unref(b);
	assert_int_equal(unit_info(u->c).n_rejected, 1);
}

static void put_failed(struct unit_cache *u)
{
	struct px_cache_entry e = {.kind = PX_BLOB_FAILED, .size = 4};
	struct px_blob *b = px_blob_new(PX_BLOB_FAILED, 0, 0, "late", 4);
	uint8_t index[PX_DIGEST_SIZE];

	unit_key(1, e.key);
	unit_key(1000001, index);
	px_cache_put(u->c, e.key, b, 0, index, &e);
	px_blob_unref(b);
}

static void test_failed_is_not_stored(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_entry e;
	uint8_t index[PX_DIGEST_SIZE];
	uint8_t key[PX_DIGEST_SIZE];
	struct px_blob *b;

	unit_key(1, key);
	unit_key(1000001, index);
	unit_open(u);
	put_failed(u);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(px_cache_get(u->c, key, &b), 0);
	assert_int_equal(b->kind, PX_BLOB_FAILED);
	px_blob_unref(b);
	assert_int_equal(px_cache_index_get(u->c, index, &e), 0);
	assert_int_equal(e.kind, PX_BLOB_FAILED);
	unit_reopen(u);
	assert_int_equal(px_cache_get(u->c, key, &b), -ENOENT);
	assert_int_equal(px_cache_index_get(u->c, index, &e), -ENOENT);
	/* A success replaces a failure, but a failure no success. */
	put_failed(u);
	unit_put(u->c, 1, 50, true);
	assert_int_equal(unit_get(u->c, 1, 50), 0);
	put_failed(u);
	assert_int_equal(unit_get(u->c, 1, 50), 0);
	unit_reopen(u);
	assert_int_equal(unit_get(u->c, 1, 50), 0);
}

static unsigned count_names(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void test_temporary(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_options o = {.max_bytes = u->max_bytes,
				     .stats = &u->stats};
	const char *tmpdir = getenv("TMPDIR");
	char *before = tmpdir ? strdup(tmpdir) : NULL;

	setenv("TMPDIR", u->top, 1);
	assert_int_equal(px_cache_open_tuned(&o, &u->tuning, &u->c, &u->why),
			 0);
	assert_int_equal(count_names(u->top), 0);
	put_all(u->c);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_info(u->c).n_blobs, PX_ARRAY_LEN(sizes));
	assert_true(unit_info(u->c).file_bytes > 300000);
	assert_all(u->c);
	unit_close(u);
	assert_int_equal(count_names(u->top), 0);
	setenv("TMPDIR", "/nonexistent", 1);
	assert_int_equal(px_cache_open_tuned(&o, &u->tuning, &u->c, &u->why),
			 -ENOENT);
	assert_non_null(strstr(u->why.text, "TMPDIR"));
	if (before)
		setenv("TMPDIR", before, 1);
	else
		unsetenv("TMPDIR");
	free(before);
}

/* Ten of 100 kB on day 100 and ten on day 101, no more than 2 MiB. */
static void fill_two_days(struct unit_cache *u)
{
	u->max_bytes = 2 << 20;
	unit_open(u);
	for (unsigned i = 0; i < 20; i++) {
		u->today = 100 + i / 10;
		unit_put(u->c, i, 100000, true);
		assert_int_equal(px_cache_flush(u->c), 0);
	}
	assert_int_equal(unit_info(u->c).n_blobs, 20);
}

static void test_evicts_oldest_days(void **state)
{
	struct unit_cache *u = *state;
	unsigned n_old = 0;

	fill_two_days(u);
	u->today = 105;
	/* Two of the old ones are used again. */
	assert_int_equal(unit_get(u->c, 3, 100000), 0);
	assert_int_equal(unit_get(u->c, 4, 100000), 0);
	assert_true(px_cache_queued(u->c) > 0);
	assert_int_equal(px_cache_flush(u->c), 0);
	for (unsigned i = 20; i < 22; i++) {
		unit_put(u->c, i, 100000, true);
		assert_int_equal(px_cache_flush(u->c), 0);
	}
	assert_true(unit_info(u->c).blob_bytes <= u->max_bytes);
	assert_int_equal(unit_count(u, PX_COUNT_cache_evicted),
			 22 - unit_info(u->c).n_blobs);
	assert_true(unit_count(u, PX_COUNT_cache_evicted) > 0);
	assert_int_equal(unit_info(u->c).n_index, unit_info(u->c).n_blobs);
	for (unsigned i = 0; i < 22; i++) {
		bool there = unit_get(u->c, i, 100000) == 0;

		assert_int_equal(there, unit_get_index(u->c, i, 100000) == 0);
		if (i < 10 && i != 3 && i != 4)
			n_old += there;
		else
			assert_true(there);
	}
	assert_int_equal(n_old, 8 - unit_count(u, PX_COUNT_cache_evicted));
}

static void test_total_survives(void **state)
{
	struct unit_cache *u = *state;

	fill_two_days(u);
	unit_reopen(u);
	for (unsigned i = 20; i < 60; i++) {
		u->today = 110 + i;
		unit_put(u->c, i, 100000, i % 2);
		assert_int_equal(px_cache_flush(u->c), 0);
		assert_int_equal(unit_get(u->c, i, 100000), 0);
		assert_true(unit_info(u->c).blob_bytes <= u->max_bytes);
	}
}

static void test_no_touch_on_the_same_day(void **state)
{
	struct unit_cache *u = *state;

	u->tuning.delay_ms = 3600000;
	unit_open(u);
	unit_put(u->c, 1, 100, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_get(u->c, 1, 100), 0);
	assert_int_equal(px_cache_queued(u->c), 0);
	u->today++;
	assert_int_equal(unit_get(u->c, 1, 100), 0);
	assert_true(px_cache_queued(u->c) > 0);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_get(u->c, 1, 100), 0);
	assert_int_equal(px_cache_queued(u->c), 0);
}

static void test_batch_larger_than_the_bound(void **state)
{
	struct unit_cache *u = *state;

	u->max_bytes = 500000;
	u->tuning.delay_ms = 3600000;
	unit_open(u);
	for (unsigned i = 0; i < 10; i++)
		unit_put(u->c, i, 100000, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_true(unit_info(u->c).blob_bytes <= u->max_bytes);
	assert_true(unit_info(u->c).n_blobs > 0);
	/* Those that were not stored are in memory: their sizes may have been
	 * told to the kernel. */
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(unit_get(u->c, i, 100000), 0);
}

static void test_tiny_map(void **state)
{
	struct unit_cache *u = *state;
	unsigned n_there = 0;

	u->tuning.map_bytes = 2 << 20;
	u->tuning.delay_ms = 1;
	unit_open(u);
	for (unsigned i = 0; i < 200; i++) {
		unit_put(u->c, i, 50000, true);
		if (i % 23 == 22)
			px_cache_flush(u->c);
		assert_int_equal(unit_get(u->c, i, 50000), 0);
		assert_int_equal(unit_get_index(u->c, i, 50000), 0);
	}
	px_cache_flush(u->c);
	for (unsigned i = 0; i < 200; i++) {
		int r = unit_get(u->c, i, 50000);

		assert_true(r == 0 || r == -ENOENT);
	}
	assert_true(unit_count(u, PX_COUNT_cache_evicted) > 100);
	assert_int_equal(unit_count(u, PX_COUNT_cache_damaged), 0);
	unit_reopen(u);
	for (unsigned i = 0; i < 200; i++)
		n_there += unit_get(u->c, i, 50000) == 0;
	assert_int_equal(n_there, unit_info(u->c).n_blobs);
	assert_true(n_there >= 5);
}

static void test_one_larger_than_the_bound(void **state)
{
	struct unit_cache *u = *state;

	u->max_bytes = 1 << 20;
	unit_open(u);
	unit_put(u->c, 1, 100, true);
	unit_put(u->c, 2, 3 << 20, true);
	unit_put(u->c, 3, 100, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_get(u->c, 2, 3 << 20), 0);
	assert_int_equal(unit_get_index(u->c, 2, 3 << 20), 0);
	unit_reopen(u);
	assert_int_equal(unit_get(u->c, 1, 100), 0);
	assert_int_equal(unit_get(u->c, 2, 3 << 20), -ENOENT);
	assert_int_equal(unit_get_index(u->c, 2, 3 << 20), -ENOENT);
	assert_int_equal(unit_get(u->c, 3, 100), 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_evicted), 0);
}

static void test_pending_bound(void **state)
{
	struct unit_cache *u = *state;

	u->tuning.delay_ms = 3600000;
	u->tuning.pending_bytes = 1 << 20;
	u->tuning.unstored_bytes = 1 << 20;
	unit_open(u);
	for (unsigned i = 0; i < 30; i++) {
		unit_put(u->c, i, 100000, false);
		assert_true(px_cache_queued(u->c) <= 1 << 20);
	}
	/* Ten are queued, ten unstored in memory, the oldest ten lost. */
	assert_int_equal(unit_get(u->c, 0, 100000), -ENOENT);
	assert_int_equal(unit_get(u->c, 9, 100000), -ENOENT);
	for (unsigned i = 10; i < 30; i++)
		assert_int_equal(unit_get(u->c, i, 100000), 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 20);
	/* Of the unstored ones the one that was read last stays longest. */
	assert_int_equal(unit_get(u->c, 10, 100000), 0);
	unit_put(u->c, 30, 100000, false);
	assert_int_equal(unit_get(u->c, 10, 100000), 0);
	assert_int_equal(unit_get(u->c, 11, 100000), -ENOENT);
	/* What is put again is queued again. */
	unit_put(u->c, 10, 100000, false);
	assert_int_equal(px_cache_flush(u->c), 0);
	unit_reopen(u);
	assert_int_equal(unit_get(u->c, 10, 100000), 0);
	assert_int_equal(unit_get(u->c, 12, 100000), -ENOENT);
}

static off_t data_blocks(struct unit_cache *u)
{
	char path[2 * UNIT_PATH];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s/%s", u->dir, PX_CACHE_SUBDIR,
		 PX_CACHE_DATA);
	assert_int_equal(stat(path, &st), 0);
	return st.st_blocks;
}

/* What evictions left free goes, and nothing else; nor are other directories
 * left. */
static void test_compact(void **state)
{
	struct unit_cache *u = *state;
	uint64_t n, bytes, before, after;
	char path[2 * UNIT_PATH];
	off_t blocks;

	u->today = 50;
	unit_open(u);
	for (unsigned i = 100; i < 300; i++)
		unit_put(u->c, i, 9000, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	u->today = 100;
	put_all(u->c);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(px_cache_gc(u->c, 10, UINT64_MAX, &n, &bytes), 0);
	assert_int_equal(n, 200);
	blocks = data_blocks(u);
	assert_int_equal(px_cache_compact(u->c, &before, &after), 0);
	assert_int_equal(before, blocks * 512);
	assert_int_equal(after, data_blocks(u) * 512);
	assert_true(after < before / 4);
	/* The old one is still open. */
	assert_all(u->c);
	unit_reopen(u);
	assert_int_equal(px_cache_was_rebuilt(u->c), 0);
	assert_all(u->c);
	assert_int_equal(unit_get(u->c, 100, 9000), -ENOENT);
	unit_put(u->c, 400, 100, true);
	unit_reopen(u);
	assert_int_equal(unit_get(u->c, 400, 100), 0);
	assert_int_equal(px_cache_clear(u->c), 0);
	assert_int_equal(px_cache_compact(u->c, &before, &after), 0);
	unit_reopen(u);
	assert_int_equal(px_cache_was_rebuilt(u->c), 0);
	assert_int_equal(unit_info(u->c).n_blobs, 0);
	snprintf(path, sizeof(path), "%s/%s", u->dir, PX_CACHE_NEW);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 0);
}

static void test_clear(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_info info;
	uint8_t key[PX_DIGEST_SIZE];
	struct px_blob *b;

	u->tuning.delay_ms = 3600000;
	unit_open(u);
	put_all(u->c);
	assert_int_equal(px_cache_flush(u->c), 0);
	unit_put(u->c, 50, 100, true);
	put_failed(u);
	assert_int_equal(px_cache_clear(u->c), 0);
	info = unit_info(u->c);
	assert_int_equal(info.n_blobs, 0);
	assert_int_equal(info.n_index, 0);
	assert_int_equal(info.blob_bytes, 0);
	assert_int_equal(px_cache_queued(u->c), 0);
	for (unsigned i = 0; i < 60; i++) {
		unit_key(i, key);
		assert_int_equal(px_cache_get(u->c, key, &b), -ENOENT);
		assert_int_equal(unit_get_index(u->c, i, 100), -ENOENT);
	}
	put_all(u->c);
	unit_reopen(u);
	assert_all(u->c);
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 0);
}

static void test_index_is_pruned(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_entry e = {.kind = PX_BLOB_CODE, .size = 10};
	uint8_t index[PX_DIGEST_SIZE];

	unit_open(u);
	unit_put(u->c, 1, 10, false);
	unit_key(1, e.key);
	for (unsigned i = 0; i < 20000; i++) {
		u->today = 100 + i / 4000;
		unit_key(1000000 + i, index);
		px_cache_put(u->c, e.key, NULL, 0, index, &e);
		if (i % 4000 == 3999)
			assert_int_equal(px_cache_flush(u->c), 0);
	}
	assert_true(unit_info(u->c).n_index < 16384);
	/* The youngest are there. */
	assert_int_equal(px_cache_index_get(u->c, index, &e), 0);
	unit_key(1000000 + 16000, index);
	assert_int_equal(px_cache_index_get(u->c, index, &e), 0);
}

#define N_THREADS     4
#define N_THREAD_KEYS 200

static void *use_cache(void *arg)
{
	struct px_cache *c = arg;
	unsigned x = (unsigned)(uintptr_t)pthread_self();
	uintptr_t bad = 0;

	for (unsigned i = 0; i < 1500; i++) {
		unsigned n;
		int r;

		x = x * 1664525u + 1013904223u;
		n = (x >> 16) % N_THREAD_KEYS;
		r = unit_get(c, n, n * 50);
		bad += r != 0 && r != -ENOENT;
		r = unit_get_index(c, n, n * 50);
		bad += r != 0 && r != -ENOENT;
		if (r < 0)
			unit_put(c, n, n * 50, true);
		if (i % 500 == 499)
			bad += px_cache_flush(c) != 0;
		if (i % 701 == 700)
			bad += px_cache_clear(c) != 0;
	}
	return (void *)bad;
}

static void test_threads(void **state)
{
	struct unit_cache *u = *state;
	pthread_t thread[N_THREADS];

	u->tuning.delay_ms = 1;
	u->max_bytes = 700000; /* of 1 MB: it evicts as well */
	unit_open(u);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, use_cache, u->c), 0);
	for (int i = 0; i < N_THREADS; i++) {
		void *bad = NULL;

		pthread_join(thread[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_damaged), 0);
}

#define WITH_CACHE(test) \
	cmocka_unit_test_setup_teardown(test, unit_setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_put_flush_reopen),
		WITH_CACHE(test_close_commits),
		WITH_CACHE(test_pending_is_readable),
		WITH_CACHE(test_commits_by_itself),
		WITH_CACHE(test_commits_when_much),
		WITH_CACHE(test_index_needs_its_blob),
		WITH_CACHE(test_rejected),
		WITH_CACHE(test_failed_is_not_stored),
		WITH_CACHE(test_temporary),
		WITH_CACHE(test_evicts_oldest_days),
		WITH_CACHE(test_total_survives),
		WITH_CACHE(test_no_touch_on_the_same_day),
		WITH_CACHE(test_batch_larger_than_the_bound),
		WITH_CACHE(test_tiny_map),
		WITH_CACHE(test_one_larger_than_the_bound),
		WITH_CACHE(test_pending_bound),
		WITH_CACHE(test_compact),
		WITH_CACHE(test_clear),
		WITH_CACHE(test_index_is_pruned),
		WITH_CACHE(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
