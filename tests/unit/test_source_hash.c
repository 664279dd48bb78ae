/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/source_hash.h"

#include <stdio.h>

#define MOST 300

/* What _imp.source_hash of these Pythons says of the first N bytes of 3, 10,
 * 17, ... */
static const size_t sizes[] = {0, 1, 7, 8, 15, MOST};

static const struct {
	unsigned magic;
	const char *hashes[PX_ARRAY_LEN(sizes)];
} pythons[] = {
	/* 3.8 to 3.13 */
	{3413,
	 {"81e4881b3643e8e9", "eaa9a54132b29468", "934e983b4271dfec",
	  "0aa279582c3d1109", "292739df5a4ecc40", "19ce3f68018e2fe5"}},
	{3425,
	 {"ac0bb7c83e5b1c5f", "7bbeffebd0d67393", "accfcf478a81cd41",
	  "5fde2c9b41fd1ed4", "b387105bebcdecef", "1b902f58962e8b80"}},
	{3439,
	 {"8cc0cd2525e7fd27", "93428525a9071183", "2194b0292614e1d6",
	  "634e890f4c8bb3db", "116a5e7ff2d00d8c", "c677ccacd69e839d"}},
	{3495,
	 {"738d9cd5d5e87f73", "de76287e1a4c40ea", "7cbf013cc5b2be77",
	  "73bd8981959bc935", "75db1ae16946243b", "725871f486676eb8"}},
	{3531,
	 {"baf18eedc9387a25", "ad65ac234b6ee44c", "9e7a1974903841dd",
	  "c90c06c3db38956c", "a6cb4a918ae356b1", "7071cf3f7bc30d54"}},
	{3571,
	 {"27ec6d312f93b814", "f1e0ab1ee5dda86c", "05ec4445f437d239",
	  "e370c59fa72537bf", "27ae9179eb52ab96", "5b92639f01c4d73f"}},
};

static void test_as_python_does(void **state PX_UNUSED)
{
	for (size_t p = 0; p < PX_ARRAY_LEN(pythons); p++)
		for (size_t i = 0; i < PX_ARRAY_LEN(sizes); i++) {
			/* A block of its size, so that reading on is seen. */
			uint8_t *text = malloc(sizes[i] + 1);
			uint8_t hash[PX_SOURCE_HASH_SIZE];
			char shown[17];
			int n = 0;

			for (size_t k = 0; k < sizes[i]; k++)
				text[k] = (uint8_t)(k * 7 + 3);
			text = realloc(text, sizes[i] ? sizes[i] : 1);
			px_source_hash(pythons[p].magic | 0x0a0d0000u, text,
				       sizes[i], hash);
			for (size_t k = 0; k < sizeof(hash); k++)
				n += sprintf(shown + n, "%02x", hash[k]);
			if (strcmp(shown, pythons[p].hashes[i]) != 0)
				fail_msg("%u, %zu bytes: %s", pythons[p].magic,
					 sizes[i], shown);
			free(text);
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_python_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
