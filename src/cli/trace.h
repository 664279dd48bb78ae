/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_TRACE_H
#define PX_CLI_TRACE_H
/*
 * The parts of `pycfs traceback`: frames in a log (trace_frame.c), what the
 * .pyc of a layer were made of (trace_layer.c), and the lines of sources
 * (trace_text.c). Private to this folder.
 *
 * Threads: one at a time.
 */

#include "pycfs/pyc.h"
#include "pycfs/util.h"

/* ---- trace_frame.c: pure functions on one line, which need not end in a NUL
 * and has no newline ---- */

/* A line as Python's traceback module prints it for a frame. */
struct px_frame_line {
	size_t before;	  /* bytes of the line in front of Python's own */
	const char *path; /* co_filename; points into the line */
	size_t path_size; /* bytes */
	uint32_t number;  /* from 1 */
};

/* Whether the line ends in `  File "PATH", line N` or that and `, in NAME`, or
 * ` in NAME`, as faulthandler writes. *ret is set if so. */
bool px_frame_line(const char *line, size_t n, struct px_frame_line *ret);
/* Whether `line` is the text of the source that Python prints below a frame in
 * whose line `before`, of `before_size` bytes, is in front. Digits in what is
 * in front may differ, because it may have the time. */
bool px_frame_is_source(const char *before, size_t before_size,
			const char *line, size_t n);

/* ---- trace_layer.c ---- */

struct px_layer;

/* Opens a layer: a directory, tar or zip in which modules are below the
 * directory `dir`, "" for its top. An archive is read once, here. Strings are
 * not used after the call. Returns 0 and *ret, or -errno with a sentence in
 * `why`. */
int px_layer_open(const char *path, const char *dir, struct px_layer **ret,
		  struct px_why *why);
/* Reads the header of the .pyc that the source `module` ("pkg/core.py") has
 * become. Returns 0; -ENOENT if there is none; -EBADMSG if it is too short;
 * -errno. */
int px_layer_header(struct px_layer *l, const char *module,
		    uint8_t ret[PX_PYC_HEADER_SIZE]);
void px_layer_free(struct px_layer *l); /* NULL is fine */

/* ---- trace_text.c ---- */

struct px_texts;

struct px_texts_options {
	const char *sources; /* a directory, or an archive of sources */
	const char *layer;   /* NULL: it is not compared with the sources */
	/* What co_filename begins with, and the directory of the layer that has
	 * the modules. NULL: as the archive says, else as an export without
	 * options has them. */
	const char *prefix;
	const char *dir;
};

/* Returns 0 and *ret; -errno with a sentence in `why`. `o` is copied, and its
 * strings outlive the texts. */
int px_texts_open(const struct px_texts_options *o, struct px_texts **ret,
		  struct px_why *why);
/* Whether the texts are to be told first which are wanted. */
bool px_texts_is_archive(const struct px_texts *t);
/* Notes a file name of a frame, before px_texts_load. 0 or -ENOMEM. */
int px_texts_want(struct px_texts *t, const char *path, size_t n);
/* Reads what is wanted from the archive, and the layer. Call it once, for a
 * directory as well. Returns 0; -errno with a sentence in `why`. */
int px_texts_load(struct px_texts *t, struct px_why *why);

enum px_text_answer {
	PX_TEXT_LINE,	  /* here it is */
	PX_TEXT_NOT_OURS, /* a file of another program */
	PX_TEXT_MISSING,  /* it is not known or cannot be trusted; why is logged
			   * once for each module */
};

/* Looks up line `number` of the file that a frame names. *ret is the line
 * without its end and white space at both ends, which may leave nothing; it is
 * valid until the next call. */
enum px_text_answer px_texts_line(struct px_texts *t, const char *path,
				  size_t n, uint32_t number, const char **ret,
				  size_t *ret_n);
void px_texts_free(struct px_texts *t); /* NULL is fine */

#endif
