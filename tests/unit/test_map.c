/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/map.h"

struct thing {
	unsigned key;
	struct px_map_node node;
};

#define N_THINGS 1000

static struct thing *find(const struct px_map *m, unsigned key, uint64_t hash)
{
	struct px_map_node *n;

	for (n = px_map_first(m, hash); n; n = px_map_next(n)) {
		struct thing *t = PX_CONTAINER(n, struct thing, node);

		assert_int_equal(t->node.hash, hash);
		if (t->key == key)
			return t;
	}
	return NULL;
}

/* Few hashes, so that many things have the same one and others meet in a
 * bucket; and all different. */
static void check_map(unsigned n_hashes)
{
	static struct thing things[N_THINGS];
	struct px_map m = {0};
	struct px_map_node *at;
	unsigned i, n = 0;

	assert_null(px_map_first(&m, 7));
	assert_null(px_map_each(&m, NULL));
	for (i = 0; i < N_THINGS; i++) {
		things[i].key = i;
		assert_int_equal(px_map_add(&m, &things[i].node, i % n_hashes),
				 0);
	}
	assert_int_equal(m.n, N_THINGS);
	for (i = 0; i < N_THINGS; i++)
		assert_ptr_equal(find(&m, i, i % n_hashes), &things[i]);
	assert_null(find(&m, N_THINGS, N_THINGS % n_hashes));
	/* The latest comes first, however often the table has grown. */
	for (i = N_THINGS - n_hashes, at = px_map_first(&m, i % n_hashes); at;
	     at = px_map_next(at), i -= n_hashes)
		assert_int_equal(PX_CONTAINER(at, struct thing, node)->key, i);
	for (i = 0; i < N_THINGS; i += 2)
		px_map_remove(&m, &things[i].node);
	for (i = 0; i < N_THINGS; i++)
		assert_ptr_equal(find(&m, i, i % n_hashes),
				 i % 2 ? &things[i] : NULL);
	for (at = px_map_each(&m, NULL); at; at = px_map_each(&m, at))
		n++;
	assert_int_equal(n, N_THINGS / 2);
	assert_int_equal(m.n, N_THINGS / 2);
	px_map_fini(&m);
	assert_int_equal(m.n, 0);
}

static void test_map(void **state PX_UNUSED)
{
	check_map(3);
	check_map(97);
	check_map(N_THINGS);
}

static void test_map_reserve(void **state PX_UNUSED)
{
	struct px_map m = {0};

	assert_int_equal(px_map_reserve(&m), 0);
	assert_true(m.n_buckets > 0);
	assert_null(px_map_each(&m, NULL));
	px_map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
