/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_I_H
#define PX_CONTENT_I_H
/*
 * What src/content*.c share.
 */

#include "pycfs/content.h"
#include "pycfs/record.h"

#include <pthread.h>

/* A set of 64-bit hashes that only grows. Not for security: a collision makes
 * one message or one read-ahead be skipped. */
struct seen {
	uint64_t *slots;
	size_t n;
	size_t capacity; /* a power of two, or 0 */
};

struct ahead_dir {
	struct ahead_dir *next;
	bool in_tree; /* what is below comes after it */
	char path[];
};

/* A RECORD that was made already (content_record.c). */
struct made_record {
	struct made_record *next;
	struct px_stat st;
	struct px_blob *blob;
	char path[];
};

/* The view of a directory that does not change (content_view.c). */
struct kept_view {
	struct kept_view *next; /* in its bucket */
	struct px_view *view;
	struct px_fingerprint fp;
	bool stable;
	enum px_kind kind;
	char path[];
};

/* A source that is to be read; the rest is content_room.c's. */
struct room_ticket {
	struct room_ticket *next;
	uint64_t bytes;
	/* Takes room_ticket.bytes, which are given back by px_room_resize(..,
	 * 0) in any case. `err`: 0, or -ECANCELED: read nothing any more. */
	void (*go)(struct room_ticket *t, int err);
};

struct px_content {
	struct px_content_options o;
	uint8_t profile[PX_DIGEST_SIZE];
	uint32_t profile_id[3]; /* the cache's, by level */

	pthread_mutex_t lock;
	struct flight **flights;     /* under lock: hash table by path */
	struct seen reported;	     /* under lock: rejections logged */
	_Atomic bool hinted;	     /* the way out was told */
	struct kept_view **views;    /* under lock; NULL unless immutable */
	size_t n_kept;		     /* under lock: entries in all of them */
	struct made_record *records; /* under lock: the list only grows */

	pthread_mutex_t ahead_lock;
	pthread_cond_t ahead_changed;
	pthread_t ahead_thread;
	bool ahead_running;
	bool quiet;		       /* under ahead_lock */
	struct ahead_dir *ahead_head;  /* under ahead_lock */
	struct ahead_dir **ahead_tail; /* under ahead_lock */
	struct seen touched;	       /* under ahead_lock: directories done */

	pthread_mutex_t room_lock;
	pthread_cond_t room_changed;
	pthread_t room_thread;
	bool room_running;
	bool room_closed;		/* under room_lock */
	uint64_t room_used;		/* under room_lock */
	struct room_ticket *room_head;	/* under room_lock: who wait */
	struct room_ticket **room_tail; /* under room_lock */
};

/* What may differ between two modules of one content. */
struct px_form {
	unsigned optimize;
	enum px_pyc_mode mode;
};

/* ---- content_key.c ---- */

/* The caller's; NULL: ENOMEM. */
char *px_content_co_filename(const struct px_content *c, const char *path);
void px_content_make_profile(struct px_content *c);
struct px_form px_content_form(const struct px_content *c, const char *path,
			       enum px_kind kind);
void px_content_index_key(const struct px_content *c, const struct px_form *f,
			  const char *name, const struct px_fingerprint *fp,
			  uint8_t ret[PX_DIGEST_SIZE]);
uint32_t px_content_header_mtime(const struct px_form *f,
				 const struct px_stat *st);
void px_content_blob_key(const struct px_content *c, const struct px_form *f,
			 const char *name, const struct px_buf *source,
			 const struct px_stat *st, uint8_t ret[PX_DIGEST_SIZE]);

/* ---- content.c ---- */

/* True the first time that `what` is said of `path`. */
bool px_content_first_time(struct px_content *c, const char *path,
			   uint64_t what);

/* ---- content_view.c ---- */

void px_content_fill_attr(const struct px_content *c, const struct px_stat *st,
			  enum px_kind kind, uint64_t size,
			  struct px_attr *ret);

void px_content_forget_views(struct px_content *c);

/* ---- content_record.c ---- */

void px_content_forget_records(struct px_content *c);
/* px_content_get for a RECORD. */
void px_content_record(struct px_content *c, const char *path,
		       px_content_done done, void *arg);

/* ---- content_room.c ---- */

int px_room_start(struct px_content *c);
/* Calls t->go: in this thread if there is room at once, else later in another.
 * Never blocks. */
void px_room_enter(struct px_content *c, struct room_ticket *t);
/* The source was found to have another size; 0: it is gone from memory. */
void px_room_resize(struct px_content *c, struct room_ticket *t,
		    uint64_t bytes);
/* Blocks while anybody waits for room, unless it is closed. Not for FUSE. */
void px_room_wait(struct px_content *c);
/* Lets all who wait go, with -ECANCELED, in this thread. */
void px_room_close(struct px_content *c);
/* Ends the thread, once it is closed; twice is fine. */
void px_room_stop(struct px_content *c);
void px_room_fini(struct px_content *c);

/* ---- content_ahead.c ---- */

/* True if `hash` was there already; false also when memory runs out. */
bool px_seen_add(struct seen *s, uint64_t hash);
void px_seen_fini(struct seen *s);

/* Starts a compile nobody waits for yet, unless it is known or under way. */
void px_content_start_ahead(struct px_content *c, const char *path,
			    const struct px_stat *st, enum px_kind kind);

int px_content_ahead_start(struct px_content *c);
/* The siblings of `path` will be wanted soon. */
void px_content_ahead_touch(struct px_content *c, const char *path);
void px_content_ahead_quiet(struct px_content *c);
void px_content_ahead_stop(struct px_content *c); /* twice is fine */
void px_content_ahead_fini(struct px_content *c);

#endif
