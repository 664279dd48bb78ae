/* SPDX-License-Identifier: MIT */
/* The check of LMDB's file: a sound file passes, and LMDB survives whatever
 * else passes. */
#include "cache_child.h"
#include "cache/pages.h"

#include <sys/mman.h>

#define N_SMALL	   400
#define SMALL	   700	/* four to a page: the tree gets branches */
#define LARGE	   9000 /* three pages of its own */
#define N_FLIPS	   4000 /* looked at */
#define N_OPENED   80	/* of those that pass, opened and used */
#define N_ROUNDS   40
#define TYPE_BYTE  10 /* of a page: its flags */
#define META_TXNID 144

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* px_pages_check of these bytes. */
static int check(const uint8_t *data, size_t n, uint64_t txnid)
{
	PX_AUTOCLOSE int fd = memfd_create("pages", MFD_CLOEXEC);

	assert_int_equal(px_write_full(fd, data, n), 0);
	return px_pages_check(fd, txnid);
}

static uint64_t txnid_at(const uint8_t *data, size_t at)
{
	return px_get_le64(data + at + META_TXNID);
}

static uint64_t newest_txnid(const uint8_t *data)
{
	const uint64_t a = txnid_at(data, 0), b = txnid_at(data, 4096);

	return a > b ? a : b;
}

/* Branches, leaves, values of both kinds, and a list of free pages. */
static void fill_trees(struct unit_cache *u)
{
	uint64_t n, bytes;

	u->today = 50;
	unit_open(u);
	for (unsigned i = 0; i < 40; i++)
		unit_put(u->c, 5000 + i, LARGE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	u->today = 100;
	for (unsigned i = 0; i < N_SMALL; i++)
		unit_put(u->c, i, SMALL, true);
	for (unsigned i = 0; i < 10; i++)
		unit_put(u->c, 6000 + i, LARGE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(px_cache_gc(u->c, 10, UINT64_MAX, &n, &bytes), 0);
	assert_int_equal(n, 40);
	unit_close(u);
}

static void use(struct unit_cache *u)
{
	uint64_t n, bytes;

	CHECK(unit_try_open(u) == 0);
	for (unsigned i = 0; i < N_SMALL; i += 3) {
		int r = unit_get(u->c, i, SMALL);

		CHECK(r == 0 || r == -ENOENT);
		r = unit_get_index(u->c, i, SMALL);
		CHECK(r == 0 || r == -ENOENT);
	}
	for (unsigned i = 0; i < 60; i++) {
		unit_put(u->c, 7000 + i, LARGE, true);
		unit_put(u->c, 8000 + i, SMALL, true);
		CHECK(unit_get(u->c, 8000 + i, SMALL) == 0);
	}
	px_cache_flush(u->c);
	px_cache_gc(u->c, UINT32_MAX, 100000, &n, &bytes);
	px_cache_clear(u->c);
	px_cache_close(u->c);
}

static bool is_tree_page(const uint8_t *page)
{
	return page[TYPE_BYTE] == 1 || page[TYPE_BYTE] == 2;
}

/* Chooses a bit of a page that is or was in a tree. */
static size_t choose_bit(const uint8_t *data, size_t n, uint32_t *seed)
{
	size_t page;

	do
		page = 2 + next_random(seed) % (n / 4096 - 2);
	while (!is_tree_page(data + page * 4096));
	/* Half of the time in the first 64 bytes: header and offsets. */
	if (next_random(seed) % 2)
		return page * 32768 + next_random(seed) % 512;
	return page * 32768 + next_random(seed) % 32768;
}

static void test_flipped_trees(void **state)
{
	struct unit_cache *u = *state;
	unsigned n_refused = 0, n_opened = 0;
	uint32_t seed = 7;
	uint64_t txnid;
	uint8_t *data;
	size_t n;

	fill_trees(u);
	data = read_data(u, &n);
	txnid = newest_txnid(data);
	assert_int_equal(check(data, n, txnid), 0);
	for (unsigned i = 0; i < N_FLIPS; i++) {
		const size_t bit = choose_bit(data, n, &seed);
		int r;

		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = check(data, n, txnid);
		assert_true(r == 0 || r == -EUCLEAN);
		n_refused += r < 0;
		if (r == 0 && n_opened < N_OPENED) {
			n_opened++;
			write_file(u, PX_CACHE_DATA, data, n);
			run(use, u);
		} else if (r < 0 && n_refused % 64 == 0) {
			write_file(u, PX_CACHE_DATA, data, n);
			unit_open(u);
			assert_int_equal(px_cache_was_rebuilt(u->c), -EUCLEAN);
			unit_close(u);
		}
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(data);
	assert_true(n_opened == N_OPENED);
	assert_true(n_refused > N_FLIPS / 20);
}

/* The two meta pages must have successive numbers, the first one an even one.
 * LMDB ends the process if the number to follow is not a valid one. */
static void test_transaction_numbers(void **state)
{
	const struct {
		uint64_t page[2];
	} rows[] = {
		{{0, UINT64_MAX}},
		{{UINT64_MAX, 0}},
		{{UINT64_MAX, UINT64_MAX}},
		{{UINT64_MAX - 1, UINT64_MAX}},
		{{UINT64_MAX - 1, UINT64_MAX - 2}},
		{{7, 8}},
		{{8, 8}},
		{{8, 11}},
		{{8, 10}},
		{{1, 0}},
		{{0, UINT64_C(1) << 63}},
	};
	struct unit_cache *u = *state;
	uint8_t *data;
	size_t n;

	fill_trees(u);
	data = read_data(u, &n);
	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		px_put_le64(data + META_TXNID, rows[i].page[0]);
		px_put_le64(data + 4096 + META_TXNID, rows[i].page[1]);
		write_file(u, PX_CACHE_DATA, data, n);
		run(use, u);
		write_file(u, PX_CACHE_DATA, data, n);
		unit_open(u);
		if (px_cache_was_rebuilt(u->c) == 0)
			fail_msg("row %zu is believed", i);
		unit_close(u);
	}
	free(data);
}

/* The list of free pages names a transaction that has not happened yet. */
static void test_free_pages_of_the_future(void **state)
{
	struct unit_cache *u = *state;
	uint64_t txnid;
	uint8_t *data;
	size_t n, at, last;

	fill_trees(u);
	data = read_data(u, &n);
	txnid = newest_txnid(data);
	/* The root of the free pages' table, MDB_meta.mm_dbs[0].md_root; the
	 * last row's place; the key behind the node's header. */
	at = (size_t)px_get_le64(data + txnid % 2 * 4096 + 16 + 24 + 40) * 4096;
	assert_true(at < n && data[at + TYPE_BYTE] == 2);
	assert_int_equal(check(data, n, txnid), 0);
	last = at + (data[at + 12] | (size_t)data[at + 13] << 8) - 2;
	at += data[last] | (size_t)data[last + 1] << 8;
	assert_true(px_get_le64(data + at + 8) <= txnid);
	px_put_le64(data + at + 8, txnid + 1);
	assert_int_equal(check(data, n, txnid), -EUCLEAN);
	free(data);
}

/* The check is for one transaction, whose meta page may be gone. */
static void test_transactions(void **state)
{
	struct unit_cache *u = *state;
	uint8_t *data;
	uint64_t txnid;
	size_t n;

	fill_trees(u);
	data = read_data(u, &n);
	txnid = newest_txnid(data);
	assert_int_equal(check(data, n, txnid + 1), -EAGAIN);
	assert_int_equal(check(data, n, txnid + 2), -EAGAIN);
	assert_int_equal(check(data, n - 4096, txnid), -EUCLEAN);
	assert_int_equal(check(data, 5000, txnid), -EUCLEAN);
	assert_int_equal(check(data, 10, txnid), -EUCLEAN);
	free(data);
}

/* LMDB, when it deletes a large value, frees as many pages as the first one
 * says. */
static void test_wrong_page_count(void **state)
{
	struct unit_cache *u = *state;
	uint64_t removed, bytes;
	uint8_t *data;
	size_t n;

	fill_trees(u);
	data = read_data(u, &n);
	for (size_t at = 2 * 4096; at < n; at += 4096)
		if (data[at + TYPE_BYTE] == 4 && data[at + 12] == 3)
			data[at + 12] = 200;
	write_file(u, PX_CACHE_DATA, data, n);
	unit_open(u);
	assert_int_equal(px_cache_was_rebuilt(u->c), 0);
	assert_int_equal(px_cache_gc(u->c, UINT32_MAX, 0, &removed, &bytes),
			 -EUCLEAN);
	unit_close(u);
	write_file(u, PX_CACHE_DATA, data, n);
	unit_open(u);
	assert_int_equal(px_cache_clear(u->c), 0);
	unit_reopen(u);
	assert_int_equal(px_cache_was_rebuilt(u->c), 0);
	assert_int_equal(unit_info(u->c).n_blobs, 0);
	unit_close(u);
	free(data);
}

/* Somebody cuts the file short while it is in use. */
static void cut_and_use(struct unit_cache *u)
{
	char path[2 * UNIT_PATH];
	uint64_t n, bytes;

	CHECK(unit_try_open(u) == 0);
	file_path(u, PX_CACHE_DATA, path);
	CHECK(truncate(path, (off_t)u->max_bytes) == 0);
	u->max_bytes = 1 << 30;
	for (unsigned i = 0; i < N_SMALL; i++) {
		const int r = unit_get(u->c, i, SMALL);

		CHECK(r == 0 || r == -ENOENT);
		CHECK(unit_get_index(u->c, i, SMALL) <= 0);
	}
	unit_put(u->c, 9000, SMALL, true);
	CHECK(unit_get(u->c, 9000, SMALL) == 0);
	px_cache_flush(u->c);
	px_cache_gc(u->c, UINT32_MAX, 1000, &n, &bytes);
	px_cache_close(u->c);
}

static void test_cut_short_under_us(void **state)
{
	struct unit_cache *u = *state;
	uint8_t *data;
	size_t n;

	fill_trees(u);
	data = read_data(u, &n);
	for (size_t to = 0; to < n; to += n / 23) {
		write_file(u, PX_CACHE_DATA, data, n);
		u->max_bytes = to;
		run(cut_and_use, u);
	}
	free(data);
}

/* In all branch pages: this many children. Fewer than none: in leaf pages, too,
 * where LMDB searches for ever. */
static void cut_branch(uint8_t *page, int n)
{
	if (page[TYPE_BYTE] == 1 || (page[TYPE_BYTE] == 2 && n < 0))
		page[12] = (uint8_t)(16 + 2 * n);
}

/* In all leaf pages: each row has a tree of its own (mdb.c 0.9.24, F_DUPDATA).
 */
static void flag_leaf(uint8_t *page, int n PX_UNUSED)
{
	const unsigned lower = page[12] | (unsigned)page[13] << 8;

	for (unsigned at = 16; page[TYPE_BYTE] == 2 && at < lower; at += 2)
		page[(page[at] | (unsigned)page[at + 1] << 8) + 4] |= 4;
}

static void damage_all(struct unit_cache *u, void (*how)(uint8_t *, int), int n)
{
	char path[2 * UNIT_PATH];
	uint8_t page[4096];
	int fd;

	file_path(u, PX_CACHE_DATA, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (off_t at = 2 * 4096; pread(fd, page, 4096, at) == 4096;
	     at += 4096) {
		how(page, n);
		CHECK(pwrite(fd, page, 4096, at) == 4096);
	}
	close(fd);
}

/* Somebody damages what was checked, so that LMDB cannot go on. */
static void damage_and_look(struct unit_cache *u)
{
	/* A parameter of this test's. */
	const int n = (int)u->max_bytes;

	u->max_bytes = 1 << 30;
	/* As large as usual: LMDB is led 2 GB away, and shall stay in it. */
	u->tuning.map_bytes = UINT64_C(64) << 30;
	CHECK(unit_try_open(u) == 0);
	CHECK(unit_get(u->c, 3, SMALL) == 0);
	damage_all(u, n < 2 ? cut_branch : flag_leaf, n);
	for (unsigned i = 0; i < N_SMALL; i += 7) {
		CHECK(unit_get(u->c, i, SMALL) == -ENOENT);
		CHECK(unit_get_index(u->c, i, SMALL) == -ENOENT);
	}
	px_cache_close(u->c);
}

static void test_damaged_under_us(void **state)
{
	struct unit_cache *u = *state;

	for (int n = 2; n >= -4; n--) {
		fill_trees(u);
		u->max_bytes = (uint64_t)n;
		run(damage_and_look, u);
		u->max_bytes = 1 << 30;
	}
}

/* Files that LMDB itself wrote pass, whatever was done with them. */
static void test_sound_ones_pass(void **state)
{
	struct unit_cache *u = *state;
	uint32_t seed = 11;
	uint64_t n, bytes;

	u->tuning.delay_ms = 1;
	u->max_bytes = 3000000;
	for (unsigned round = 0; round < N_ROUNDS; round++) {
		unit_open(u);
		assert_int_equal(px_cache_was_rebuilt(u->c), 0);
		u->today++;
		for (unsigned i = 0; i < 150; i++) {
			const unsigned k = next_random(&seed) % 3000;

			if (unit_get(u->c, k, k * 5) == -ENOENT)
				unit_put(u->c, k, k * 5, k % 3 != 0);
			if (i % 50 == 49)
				assert_int_equal(px_cache_flush(u->c), 0);
		}
		if (round % 5 == 4)
			assert_int_equal(
				px_cache_gc(u->c, 3, 1000000, &n, &bytes), 0);
		if (round == N_ROUNDS / 2)
			assert_int_equal(px_cache_clear(u->c), 0);
		unit_close(u);
	}
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_damaged), 0);
}

#define WITH_CACHE(test) \
	cmocka_unit_test_setup_teardown(test, unit_setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_flipped_trees),
		WITH_CACHE(test_transaction_numbers),
		WITH_CACHE(test_free_pages_of_the_future),
		WITH_CACHE(test_transactions),
		WITH_CACHE(test_wrong_page_count),
		WITH_CACHE(test_cut_short_under_us),
		WITH_CACHE(test_damaged_under_us),
		WITH_CACHE(test_sound_ones_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
