/* SPDX-License-Identifier: MIT */
#ifndef PX_OUTPUT_SINK_I_H
#define PX_OUTPUT_SINK_I_H
/*
 * The two kinds of sink behind px_sink. Private to this folder. The functions
 * have the contracts of their px_sink_ counterparts in sink.h.
 */

#include "pycfs/sink.h"

/* ---- sink_dir.c ---- */

struct px_dir_sink;

/* A sink that writes into the directory open as `fd`, which stays owned by the
 * caller and must outlive the sink. Returns 0 or -ENOMEM. */
int px_dir_sink_new(int fd, struct px_dir_sink **ret);
/* If `fd` is negative, a file's bytes are in `data`; else they are read from
 * `fd`. */
int px_dir_sink_put(struct px_dir_sink *s, const struct px_sink_entry *e,
		    const void *data, int fd);
int px_dir_sink_finish(struct px_dir_sink *s);
void px_dir_sink_free(struct px_dir_sink *s);

/* ---- sink_archive.c ---- */

struct px_archive_sink;

/* A sink that writes an archive to `fd`, which stays owned by the caller and
 * must outlive the sink. Returns 0; -ENOMEM; -ENOTSUP if libarchive was built
 * without the compression. */
int px_archive_sink_new(int fd, enum px_sink_format format, bool digest,
			struct px_archive_sink **ret);
/* If `fd` is negative, a file's bytes are in `data`; else they are read from
 * `fd`. */
int px_archive_sink_put(struct px_archive_sink *s,
			const struct px_sink_entry *e, const void *data,
			int fd);
int px_archive_sink_finish(struct px_archive_sink *s,
			   struct px_sink_result *ret);
void px_archive_sink_free(struct px_archive_sink *s);

#endif
