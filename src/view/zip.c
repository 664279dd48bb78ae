/* SPDX-License-Identifier: MIT */
#include "zip.h"

/* APPNOTE.TXT 6.3.10, sections 4.3.12 and 4.3.16. */
#define END_SIGNATURE	0x06054b50u
#define END_SIZE	22
#define ENTRY_SIGNATURE 0x02014b50u
#define ENTRY_SIZE	46
#define MAX_COMMENT	65535
#define MAX_DIRECTORY	(16u << 20)

static unsigned le16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

/* Reads `n` bytes at `at`. Returns whether all of them are there. */
static bool read_at(int fd, void *to, size_t n, uint64_t at)
{
	size_t done = 0;

	while (done < n) {
		const ssize_t got = pread(fd, (char *)to + done, n - done,
					  (off_t)(at + done));

		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* Finds the directory of the zip. As in zipimport it ends where the record at
 * the end begins, so that anything may stand before the zip. */
static bool find_directory(int fd, uint64_t size, uint64_t *ret_at,
			   size_t *ret_n)
{
	const size_t n = size < END_SIZE + MAX_COMMENT ? (size_t)size
						       : END_SIZE + MAX_COMMENT;
	PX_AUTOFREE uint8_t *tail = malloc(n + 1);
	size_t i;

	if (!tail || n < END_SIZE || !read_at(fd, tail, n, size - n))
		return false;
	for (i = n - END_SIZE + 1; i-- > 0;) {
		const uint64_t end = size - n + i;
		uint32_t length;

		if (px_get_le32(tail + i) != END_SIGNATURE)
			continue;
		length = px_get_le32(tail + i + 12);
		if (length > end)
			return false;
		*ret_at = end - length;
		*ret_n = length < MAX_DIRECTORY ? length : MAX_DIRECTORY;
		return true;
	}
	return false;
}

size_t px_zip_sources(int fd, uint64_t size)
{
	PX_AUTOFREE uint8_t *all = NULL;
	size_t n, i = 0, found = 0;
	uint64_t at;

	if (!find_directory(fd, size, &at, &n))
		return 0;
	all = malloc(n + 1);
	if (!all || !read_at(fd, all, n, at))
		return 0;
	while (n - i >= ENTRY_SIZE && px_get_le32(all + i) == ENTRY_SIGNATURE) {
		const size_t name = le16(all + i + 28);
		const size_t whole = ENTRY_SIZE + name + le16(all + i + 30) +
				     le16(all + i + 32);

		if (whole > n - i)
			break;
		found += name > 3 &&
			 memcmp(all + i + ENTRY_SIZE + name - 3, ".py", 3) == 0;
		i += whole;
	}
	return found;
}
