/* SPDX-License-Identifier: MIT */
#ifndef PX_SINK_I_H
#define PX_SINK_I_H
/*
 * What src/sink*.c share.
 */

#include "pycfs/sink.h"

/* ---- sink_dir.c ---- */

struct px_dir_sink;

/* Writes below the directory open as `fd`, which is borrowed. -ENOMEM. */
int px_dir_sink_new(int fd, struct px_dir_sink **ret);
int px_dir_sink_put(struct px_dir_sink *s, const struct px_sink_entry *e,
		    const void *data, int fd);
int px_dir_sink_finish(struct px_dir_sink *s);
void px_dir_sink_free(struct px_dir_sink *s);

/* ---- sink_archive.c ---- */

struct px_archive_sink;

/* Writes to `fd`, which is borrowed. -ENOMEM. */
int px_archive_sink_new(int fd, enum px_sink_format format, bool digest,
			struct px_archive_sink **ret);
int px_archive_sink_put(struct px_archive_sink *s,
			const struct px_sink_entry *e, const void *data,
			int fd);
int px_archive_sink_finish(struct px_archive_sink *s,
			   struct px_sink_result *ret);
void px_archive_sink_free(struct px_archive_sink *s);

#endif
