/* SPDX-License-Identifier: MIT */
/* Input: a database file. Its newest transaction is asked for, and the one
 * before. */
#include "fuzz.h"
#include "cache/pages.h"

#include <sys/mman.h>

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
	PX_AUTOCLOSE int fd = memfd_create("pages", MFD_CLOEXEC);
	size_t second = 0;
	uint64_t id[2];

	MUST(fd >= 0 && px_write_full(fd, data, size) == 0);
	if (size >= META_PAGE_SIZE + 4)
		second = px_get_le32(data + META_PAGE_SIZE);
	id[0] = txnid_at(data, size, 0);
	id[1] = txnid_at(data, size, second);
	for (int i = 0; i < 2; i++) {
		const int r = px_pages_check(fd, id[i]);

		MUST(r == 0 || r == -EUCLEAN || r == -EAGAIN || r == -ENOMEM);
		MUST(r == px_pages_check(fd, id[i]));
		MUST(r < 0 || px_pages_check_trees(fd, id[i]) == 0);
	}
	return 0;
}
