/* SPDX-License-Identifier: MIT */
#include "pycfs/record.h"

/* Reads a quoted field, in which a quote is written as two, and appends its
 * decoded bytes to `path`. */
static int take_quoted(struct px_record_reader *r, struct px_buf *path)
{
	int err;

	for (r->at++; r->at < r->size; r->at++) {
		const char c = r->data[r->at];

		if (c == '"') {
			if (r->at + 1 >= r->size || r->data[r->at + 1] != '"') {
				r->at++;
				return 0;
			}
			r->at++;
		}
		err = px_buf_add(path, &c, 1);
		if (err < 0)
			return err;
	}
	return -EBADMSG;
}

static bool ends_field(char c)
{
	return c == ',' || c == '\n' || c == '\r';
}

static int take_path(struct px_record_reader *r, struct px_buf *path)
{
	const size_t from = r->at;
	int err;

	if (r->data[r->at] == '"') {
		err = take_quoted(r, path);
	} else {
		while (r->at < r->size && !ends_field(r->data[r->at]))
			r->at++;
		err = px_buf_add(path, r->data + from, r->at - from);
	}
	if (err < 0)
		return err;
	if (path->size > 0 && memchr(path->data, '\0', path->size))
		return -EBADMSG;
	if (r->at < r->size && !ends_field(r->data[r->at]))
		return -EBADMSG;
	return px_buf_add(path, "", 1);
}

int px_record_next(struct px_record_reader *r, struct px_buf *path,
		   const char **ret_rest, size_t *ret_n_rest)
{
	size_t from;
	int err;

	do {
		while (r->at < r->size &&
		       (r->data[r->at] == '\n' || r->data[r->at] == '\r'))
			r->at++;
		if (r->at >= r->size)
			return 0;
		path->size = 0;
		err = take_path(r, path);
		if (err < 0)
			return err;
		/* A lone CR ends a row too, because importlib.metadata splits
		 * RECORD with str.splitlines(). */
		for (from = r->at; r->at < r->size; r->at++)
			if (r->data[r->at] == '\n' || r->data[r->at] == '\r')
				break;
	} while (path->size == 1);
	*ret_rest = r->data + from;
	*ret_n_rest = r->at - from;
	return 1;
}

static int put_quoted(struct px_buf *out, const char *path)
{
	int err = px_buf_add(out, "\"", 1);

	for (; *path && err == 0; path++) {
		if (*path == '"')
			err = px_buf_add(out, "\"", 1);
		if (err == 0)
			err = px_buf_add(out, path, 1);
	}
	return err == 0 ? px_buf_add(out, "\"", 1) : err;
}

int px_record_put(struct px_buf *out, const char *path, const char *rest,
		  size_t n_rest)
{
	const size_t before = out->size;
	int err;

	if (strpbrk(path, ",\"\r\n"))
		err = put_quoted(out, path);
	else
		err = px_buf_add(out, path, strlen(path));
	if (err == 0)
		err = rest ? px_buf_add(out, rest, n_rest)
			   : px_buf_add(out, ",,", 2);
	if (err == 0)
		err = px_buf_add(out, "\n", 1);
	if (err < 0)
		out->size = before;
	return err;
}
