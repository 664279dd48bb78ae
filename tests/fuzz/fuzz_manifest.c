/* SPDX-License-Identifier: MIT */
/* Input: a manifest of sources. What is read and written anew reads as the
 * same. */
#include "fuzz.h"
#include "pycfs/manifest.h"

/* Reads `text` and writes it anew. The number of rows, or -EBADMSG. */
static int rewrite(char *text, size_t size, struct px_buf *out)
{
	struct px_manifest_row row;
	struct px_manifest m;
	struct px_why why = {""};
	int n = 0, r = px_manifest_open(&m, text, &why);

	MUST(r == 0 || (r == -EBADMSG && *why.text));
	if (r < 0)
		return r;
	MUST(m.at >= text && m.at <= text + size);
	MUST(px_manifest_add_head(out, &m.head) == 0);
	while ((r = px_manifest_next(&m, &row)) > 0) {
		MUST(row.path >= text && row.path < text + size);
		MUST(px_manifest_add(out, row.path,
				     row.has_hash ? row.hash : NULL) == 0);
		n++;
	}
	MUST(r == 0 || r == -EBADMSG);
	return r < 0 ? r : n;
}

static char *copy_text(const void *data, size_t size)
{
	char *text = malloc(size + 1);

	MUST(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct px_buf once = {.max = 1u << 24}, twice = {.max = 1u << 24};
	char *text = copy_text(data, size);
	const int n = rewrite(text, size, &once);

	if (n >= 0) {
		char *again = copy_text(once.data, once.size);

		MUST(rewrite(again, once.size, &twice) == n);
		MUST(once.size == twice.size);
		MUST(memcmp(once.data, twice.data, once.size) == 0);
		free(again);
	}
	px_buf_fini(&once);
	px_buf_fini(&twice);
	free(text);
	return 0;
}
