/* SPDX-License-Identifier: MIT */
/* Input: a RECORD. What is read and written anew reads as the same rows. */
#include "fuzz.h"
#include "pycfs/record.h"

/* Writes all rows anew. The number of rows, or -errno. */
static int rewrite(const char *data, size_t size, struct px_buf *out)
{
	struct px_record_reader r = {data, size, 0};
	struct px_buf path = {.max = 1u << 20};
	const char *rest;
	size_t n_rest, before = 0;
	int n = 0, err;

	while ((err = px_record_next(&r, &path, &rest, &n_rest)) > 0) {
		MUST(r.at <= size && r.at > before);
		before = r.at;
		MUST(path.size > 1 && path.data[path.size - 1] == '\0');
		MUST(strlen((const char *)path.data) == path.size - 1);
		MUST(rest >= data && rest + n_rest <= data + size);
		MUST(n_rest == 0 || rest[0] == ',');
		MUST(!memchr(rest, '\n', n_rest));
		MUST(px_record_put(out, (const char *)path.data, rest,
				   n_rest) == 0);
		n++;
	}
	MUST(err == 0 || err == -EBADMSG);
	px_buf_fini(&path);
	return err < 0 ? err : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct px_buf once = {.max = 1u << 24}, twice = {.max = 1u << 24};
	uint8_t *copy = fuzz_copy(data, size);
	const int n = rewrite((const char *)copy, size, &once);

	/* Rows before a bad one are good. */
	if (once.size > 0) {
		const int m =
			rewrite((const char *)once.data, once.size, &twice);

		MUST(n < 0 ? m > 0 : m == n);
		MUST(once.size == twice.size);
		MUST(memcmp(once.data, twice.data, once.size) == 0);
	}
	px_buf_fini(&once);
	px_buf_fini(&twice);
	free(copy);
	return 0;
}
