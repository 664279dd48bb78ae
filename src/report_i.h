/* SPDX-License-Identifier: MIT */
#ifndef PX_REPORT_I_H
#define PX_REPORT_I_H
/*
 * What src/report*.c share.
 */

#include "pycfs/report.h"
#include "pycfs/walk.h"

/* ---- report_measure.c: how large bytes are when they are compressed ---- */

struct px_measure {
	uint64_t deflate_bytes;
	uint64_t zstd_bytes;
};

struct px_meter; /* the compressors of one thread */

int px_meter_new(struct px_cache *c, struct px_meter **ret);
void px_meter_free(struct px_meter *m); /* NULL is fine */
/* Stores a note of `n` bytes in the cache, for the next report. */
void px_note_put(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		 const void *note, size_t n);
/* A stored note of at least `n` bytes, the caller's; NULL: there is none. */
struct px_blob *px_note_find(struct px_cache *c,
			     const uint8_t key[PX_DIGEST_SIZE], size_t n);
/* The compressed sizes of `n` bytes, from the cache if it has them, and the
 * bytes' digest. -errno. */
int px_meter_bytes(struct px_meter *m, const void *data, size_t n,
		   struct px_measure *ret, uint8_t digest[PX_DIGEST_SIZE]);
/* The same of a file of `n` bytes, which is read to its end: twice if it is
 * large and its sizes are not in the cache. -ESTALE: its size has changed. */
int px_meter_fd(struct px_meter *m, int fd, uint64_t n, struct px_measure *ret,
		uint8_t digest[PX_DIGEST_SIZE]);

/* ---- report_file.c: the figures of one file ---- */

/* Fills in the figures that depend on the file's bytes, and waits for compiles.
 * `i` and `f` are of the same file; `one_large` is locked while a large source
 * is in memory, so that all threads of a report share one. -errno. */
int px_report_measure(const struct px_report_options *o, struct px_meter *meter,
		      pthread_mutex_t *one_large, const struct px_item *i,
		      struct px_report_file *f);

/* ---- report_risk.c ---- */

/* Takes the findings of all files apart; what the rules have remedied already
 * is none. -ENOMEM. */
int px_report_find_risks(struct px_report *r,
			 const struct px_report_options *o);

/* ---- report_dist.c: which distribution a file belongs to ---- */

/* Fills dists, and the dist of every file. -errno. */
int px_report_assign(struct px_report *r, struct px_tree *t);

#endif
