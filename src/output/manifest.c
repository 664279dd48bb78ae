/* SPDX-License-Identifier: MIT */
#include "pycfs/manifest.h"

#include <inttypes.h>
#include <stdio.h>

#define FORMAT 1
#define MAGIC  "pycfs-sources "

/* -------------------------------------------------------------- writing */

static int add_text(struct px_buf *b, const char *text)
{
	return px_buf_add(b, text, strlen(text));
}

/* Appends `text` without a space, backslash or control character. */
static int add_escaped(struct px_buf *b, const char *text)
{
	char escaped[8];
	int r = 0;

	for (; *text && r == 0; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '\\')
			r = px_buf_add(b, "\\\\", 2);
		else if (c > ' ' && c != 0x7f)
			r = px_buf_add(b, text, 1);
		else if (snprintf(escaped, sizeof(escaped), "\\u%04x", c) > 0)
			r = add_text(b, escaped);
	}
	return r;
}

static int add_value(struct px_buf *b, const char *name, const char *value)
{
	int r = add_text(b, name);

	return r < 0 ? r : add_escaped(b, value);
}

int px_manifest_add_head(struct px_buf *b, const struct px_manifest_head *h)
{
	char magic[16];
	int r;

	snprintf(magic, sizeof(magic), "%" PRIu32, h->magic);
	r = add_text(b, MAGIC "1");
	if (r == 0)
		r = add_value(b, " python=", h->python);
	if (r == 0)
		r = add_value(b, " magic=", magic);
	if (r == 0)
		r = add_value(b, " prefix=", h->prefix);
	if (r == 0)
		r = add_value(b, " dir=", h->dir);
	return r < 0 ? r : add_text(b, "\n");
}

int px_manifest_add(struct px_buf *b, const char *path,
		    const uint8_t hash[PX_SOURCE_HASH_SIZE])
{
	char text[2 * PX_SOURCE_HASH_SIZE + 1] = "-";
	int i, n = 0, r;

	for (i = 0; hash && i < PX_SOURCE_HASH_SIZE; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x",
			      hash[i]);
	r = add_text(b, text);
	if (r == 0)
		r = add_value(b, " ", path);
	return r < 0 ? r : add_text(b, "\n");
}

/* -------------------------------------------------------------- reading */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that two hex digits stand for; -1 if they are none. */
static int hex_byte(const char *digits)
{
	const int high = hex_digit(digits[0]);
	const int low = high < 0 ? -1 : hex_digit(digits[1]);

	return low < 0 ? -1 : high * 16 + low;
}

/* Replaces the escapes of `text` by what they stand for. False if there is one
 * that add_escaped does not write. */
static bool unescape(char *text)
{
	char *to = text;
	int c;

	while (*text) {
		if (*text != '\\') {
			*to++ = *text++;
			continue;
		}
		if (text[1] == '\\') {
			*to++ = '\\';
			text += 2;
			continue;
		}
		if (strncmp(text, "\\u00", 4) != 0)
			return false;
		c = hex_byte(text + 4);
		if (c <= 0)
			return false;
		*to++ = (char)c;
		text += 6;
	}
	*to = '\0';
	return true;
}

/* Cuts the next word off *at. */
static char *next_word(char **at)
{
	char *word = *at;

	*at += strcspn(*at, " ");
	if (**at)
		*(*at)++ = '\0';
	return word;
}

/* The next line without its end; NULL if there is none that is whole. */
static char *next_line(struct px_manifest *m)
{
	char *line = m->at, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	m->at = end + 1;
	return line;
}

/* Takes one NAME=VALUE of the first line. Names that are unknown are ignored,
 * so that a later version can add some. */
static bool take(struct px_manifest_head *h, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return false;
	*value++ = '\0';
	if (!unescape(value))
		return false;
	if (strcmp(word, "python") == 0)
		h->python = value;
	else if (strcmp(word, "magic") == 0)
		h->magic = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(word, "prefix") == 0)
		h->prefix = value;
	else if (strcmp(word, "dir") == 0)
		h->dir = value;
	return true;
}

int px_manifest_open(struct px_manifest *m, char *text, struct px_why *why)
{
	const bool ours = strncmp(text, MAGIC, strlen(MAGIC)) == 0;
	bool good = ours;
	char *line, *format;

	*m = (struct px_manifest){.at = text};
	line = ours ? next_line(m) : NULL;
	if (!line)
		return px_because(why, -EBADMSG,
				  PX_MANIFEST_NAME " is no list of sources");
	line += strlen(MAGIC);
	format = next_word(&line);
	if (strtoul(format, NULL, 10) > FORMAT)
		return px_because(why, -EBADMSG,
				  PX_MANIFEST_NAME
				  " has the format %.20s, of a "
				  "later version of pycfs",
				  format);
	while (good && *line)
		good = take(&m->head, next_word(&line));
	if (!good || !m->head.python || !m->head.magic || !m->head.prefix ||
	    !m->head.dir)
		return px_because(why, -EBADMSG,
				  "the first line of " PX_MANIFEST_NAME
				  " is damaged");
	return 0;
}

int px_manifest_next(struct px_manifest *m, struct px_manifest_row *ret)
{
	char *line, *hash;
	int i, c;

	if (*m->at == '\0')
		return 0;
	line = next_line(m);
	if (!line)
		return -EBADMSG;
	hash = next_word(&line);
	*ret = (struct px_manifest_row){.path = line};
	if (*line == '\0' || !unescape(line))
		return -EBADMSG;
	if (strcmp(hash, "-") == 0)
		return 1;
	if (strlen(hash) != (size_t)2 * PX_SOURCE_HASH_SIZE)
		return -EBADMSG;
	for (i = 0; i < PX_SOURCE_HASH_SIZE; i++) {
		c = hex_byte(hash + (size_t)2 * i);
		if (c < 0)
			return -EBADMSG;
		ret->hash[i] = (uint8_t)c;
	}
	ret->has_hash = true;
	return 1;
}
