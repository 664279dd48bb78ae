/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "cli/near.h"

#include "pycfs/util.h"

#include <limits.h>

static void test_slips(void **state PX_UNUSED)
{
	static const struct {
		const char *word, *known;
		bool is_near;
	} cases[] = {
		{"exprot", "export", true},  /* swapped */
		{"exort", "export", true},   /* one is missing */
		{"expport", "export", true}, /* one too many */
		{"expert", "export", true},  /* another one */
		{"mtoun", "mount", false},   /* two swaps, of five */
		{"urn", "run", true},
		{"ran", "run", true},
		{"rm", "run", false},
		{"", "run", false},
		{"run", "", false},
		{"keepsorce", "keep-source", true},
		{"optimise-fro", "optimize-for", true},
		{"something", "keep-source", false},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "run",
		 false},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		unsigned best = UINT_MAX;

		if (px_is_near(cases[i].word, cases[i].known, &best) !=
		    cases[i].is_near)
			fail_msg("%s, %s", cases[i].word, cases[i].known);
	}
}

/* The nearest of several counts. */
static void test_best(void **state PX_UNUSED)
{
	unsigned best = UINT_MAX;

	assert_true(px_is_near("max-sizee", "max-since", &best));
	assert_true(px_is_near("max-sizee", "max-size", &best));
	assert_int_equal(best, 1);
	assert_false(px_is_near("max-sizee", "max-sized", &best));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slips),
		cmocka_unit_test(test_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
