/* SPDX-License-Identifier: MIT */
/* Input: a database file. Its newest transaction is asked for, and the one
 * before. */
#include "fuzz.h"
#include "cache_i.h"

#define META_PAGE_SIZE 40  /* where a meta page says how large pages are, */
#define META_TXNID     144 /* and which transaction it is of */

static uint64_t txnid_at(const uint8_t *data, size_t size, size_t at)
{
	return at < size && size - at >= META_TXNID + 8
		       ? px_get_le64(data + at + META_TXNID)
		       : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *map = fuzz_copy(data, size);
	size_t second = 0;
	uint64_t id[2];

	if (size >= META_PAGE_SIZE + 4)
		second = px_get_le32(map + META_PAGE_SIZE);
	id[0] = txnid_at(map, size, 0);
	id[1] = txnid_at(map, size, second);
	for (int i = 0; i < 2; i++) {
		const int r = px_pages_check(map, size, id[i]);

		MUST(r == 0 || r == -EUCLEAN || r == -EAGAIN || r == -ENOMEM);
		MUST(r == px_pages_check(map, size, id[i]));
	}
	free(map);
	return 0;
}
