/* SPDX-License-Identifier: MIT */
#include "script_text.h"

#include "pycfs/digest.h"
#include "pycfs/text.h"

#include <stdio.h>

/* Appends a text as Python writes it between double quotes. A byte that is not
 * UTF-8 becomes what os.fsdecode() makes of it. */
static int put_quoted(struct px_buf *b, const char *text)
{
	char code[16];
	size_t n;
	int r = 0;

	for (; *text && r == 0; text += n) {
		const unsigned char c = (unsigned char)*text;

		n = px_utf8_sequence(text);
		if (n == 0)
			snprintf(code, sizeof(code), "\\udc%02x", c);
		else
			snprintf(code, sizeof(code), "\\x%02x", c);
		if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			r = px_buf_add(b, text, n);
		else
			r = px_buf_add(b, code, strlen(code));
		n += n == 0;
	}
	return r;
}

static int put(struct px_buf *b, const char *text)
{
	return px_buf_add(b, text, strlen(text));
}

/*
 * The text of a script. Unless it lies in Python's path already, the directory
 * beside it in which its modules are comes first, as PYTHONPATH would have it:
 * so it works where nobody has set a path, and runs the modules that it was
 * shipped with rather than others of their name. The name `top` tells whether
 * that directory is the one: the script may have been moved away. A process
 * that multiprocessing starts imports this file, too.
 */
int px_script_write(const struct px_script_text *t, struct px_buf *out)
{
	const char *object = t->object;
	const size_t first = strcspn(object, ".");
	const struct {
		const char *text;
		bool quoted;
	} parts[] = {
		{"#!", false},
		{t->python, false},
		{"\n# Made by pycfs of the entry point ", false},
		{t->module, false},
		{":", false},
		{t->object, false},
		{"\nimport os\nimport sys\n\n"
		 "site = os.path.normpath(os.path.join(os.path.dirname(\n"
		 "    os.path.realpath(__file__)), \"",
		 false},
		{t->site, true},
		{"\"))\nif site not in sys.path and os.path.exists(\n"
		 "        os.path.join(site, \"",
		 false},
		{t->top, true},
		{"\")):\n    sys.path.insert(0, site)\n\nfrom ", false},
		{t->module, false},
		{" import ", false},
	};
	size_t i;
	int r = 0;

	for (i = 0; i < PX_ARRAY_LEN(parts) && r == 0; i++)
		r = (parts[i].quoted ? put_quoted : put)(out, parts[i].text);
	if (r == 0)
		r = px_buf_add(out, object, first);
	if (r == 0)
		r = put(out, " as main\n\nif __name__ == \"__main__\":\n"
			     "    sys.exit(main");
	if (r == 0)
		r = put(out, object + first);
	return r < 0 ? r : put(out, "())\n");
}

char *px_script_record(const struct px_buf *text)
{
	struct px_sha256 hash;
	uint8_t digest[PX_SHA256_SIZE];
	char base64[PX_SHA256_RECORD_SIZE], *ret;

	px_sha256_init(&hash);
	px_sha256_update(&hash, text->data, text->size);
	px_sha256_final(&hash, digest);
	px_sha256_for_record(digest, base64);
	return asprintf(&ret, ",sha256=%s,%zu", base64, text->size) < 0 ? NULL
									: ret;
}

/* How many bytes of two paths are directories that both have, each with the
 * slash behind it. */
static size_t common(const char *a, const char *b)
{
	size_t i, n = 0;

	for (i = 0;; i++) {
		const bool ends_a = a[i] == '/' || a[i] == '\0';
		const bool ends_b = b[i] == '/' || b[i] == '\0';

		if (ends_a && ends_b)
			n = i + (a[i] == '/' && b[i] == '/');
		if (a[i] != b[i] || a[i] == '\0')
			break;
	}
	return n;
}

char *px_script_relative(const char *from, const char *to)
{
	PX_AUTO(px_buf_fini) struct px_buf b = {.max = SIZE_MAX};
	const size_t n = common(from, to);
	const char *rest = to + n + (to[n] == '/');
	const char *p = from + n + (from[n] == '/');
	int r = 0;

	for (; *p && r == 0; p += strcspn(p, "/"), p += *p == '/')
		r = px_buf_add(&b, "../", 3);
	if (r == 0)
		r = px_buf_add(&b, rest, strlen(rest));
	if (r == 0 && b.size == 0)
		r = px_buf_add(&b, ".", 1);
	while (r == 0 && b.data[b.size - 1] == '/')
		b.size--;
	if (r == 0)
		r = px_buf_add(&b, "", 1);
	return r < 0 ? NULL : (char *)PX_STEAL(b.data);
}
