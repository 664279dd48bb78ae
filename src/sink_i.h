/* SPDX-License-Identifier: MIT */
#ifndef PX_SINK_I_H
#define PX_SINK_I_H
/*
 * What src/sink*.c share.
 */

#include "pycfs/sink.h"

/* ---- sink_temp.c: the temporary name, and how it becomes the real one ---- */

struct px_temp {
	int parent; /* directory of both names */
	int lock;   /* the temporary thing itself, locked; negative: none */
	bool is_dir;
	char *name;   /* NULL once renamed, or for a descriptor of others */
	char *target; /* in parent */
	bool force;
};

/* Makes an empty file (0666 as the umask says) or directory (0700 until it is
 * finished) beside `dest`, open as t->lock. */
int px_temp_make(struct px_temp *t, const char *dest, bool is_dir, bool force,
		 struct px_why *why);
int px_temp_commit(struct px_temp *t, struct px_why *why);
void px_temp_fini(struct px_temp *t); /* removes it if it still is there */

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
