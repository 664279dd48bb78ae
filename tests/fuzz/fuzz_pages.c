/* SPDX-License-Identifier: MIT */
/* Input: a database file. Its newest transaction is asked for, and the one
 * before. */
#include "fuzz.h"
#include "cache/find.h"
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

/* What a cache that is only read is asked. */
static void look_up(int fd, size_t size)
{
	static const char *const keys[] = {"a", "b", "c", "zz", ""};
	struct px_pages_table table;
	struct px_pages file;
	size_t n;
	off_t at;

	if (px_pages_open(fd, &file) < 0 ||
	    px_pages_find_table(&file, "blob", &table) < 0)
		return;
	for (size_t i = 0; i < PX_ARRAY_LEN(keys); i++) {
		if (px_pages_find(&file, &table, keys[i], strlen(keys[i]), &at,
				  &n) < 0)
			continue;
		MUST(at >= 0 && (uint64_t)at <= size);
		MUST(n <= size - (size_t)at);
	}
}

/* What a transaction that is open is asked, in a file of any length. */
static void look_up_at(int fd, uint64_t txnid, size_t page_size)
{
	struct px_page_cache *cache;
	struct px_pages_table table;
	struct px_pages file;
	uint8_t row[3];
	int r = px_pages_open_at(fd, txnid, page_size, &file);

	MUST(r == 0 || r == -EUCLEAN || r == -EAGAIN);
	if (r < 0)
		return;
	cache = px_page_cache_new(page_size);
	for (int i = 0; i < 2; i++) {
		if (px_pages_find_table(&file, "blob", &table) == 0) {
			r = px_pages_row(&file, &table, "b", 1, row,
					 sizeof(row));
			MUST(r == 0 || r == -EUCLEAN || r == -ENOENT ||
			     r == -EBADMSG || r == -ENOMEM);
		}
		file.cache = cache;
	}
	px_page_cache_free(cache);
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
		if (second >= 256 && second <= 65536)
			look_up_at(fd, id[i], second);
	}
	look_up(fd, size);
	return 0;
}
