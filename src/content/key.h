/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_KEY_H
#define PX_CONTENT_KEY_H
/*
 * What decides the bytes of a module, and the two keys into the cache that are
 * digests of it: the index key, made of the source file's fingerprint without
 * reading it, and the blob key, made of what the source says.
 *
 * Bytes in the canonical form are stored without their co_filename, and neither
 * key has it, so that equal sources compile once. Other bytes depend on it, and
 * so do their keys: if the user wants CPython's own bytes, or this Python has
 * no canonical form, those of all modules. Very few modules have no canonical
 * form although their Python has one (a NaN in a set, say). They turn out when
 * they are compiled; their blobs are put under a key with the name, and the
 * index does not have them.
 *
 * Threads: any.
 */

#include "pycfs/content.h"

struct px_keys; /* of one content: what all its modules have in common */

/* What may differ between two modules of one content. */
struct px_form {
	unsigned optimize; /* level, 0 to 2 */
	bool keep_docs;	   /* the level is 1 if the source has __doc__ in it */
	enum px_pyc_mode mode;
};

/* The level at which a source is compiled. */
unsigned px_form_level(const struct px_form *f, const struct px_buf *source);

/*
 * One module as it was found at the first look at its source file. It is made
 * once for a request and handed on, until the compile is stored.
 */
struct px_module_id {
	char *name;	  /* co_filename of its code objects; owned */
	const char *path; /* in SOURCE; the end of `name` */
	enum px_kind kind;
	struct px_form form;
	struct px_fingerprint fp;
	uint8_t index[PX_DIGEST_SIZE]; /* the index key, see above */
};

/* `o` outlives the keys. -ENOMEM. */
int px_keys_new(const struct px_content_options *o, struct px_keys **ret);
void px_keys_free(struct px_keys *k); /* NULL is fine */

/* The co_filename of the module `path`; the caller frees it. NULL if out of
 * memory. */
char *px_module_name(const struct px_content_options *o, const char *path);

/* Asks the rules, and copies `path`. -ENOMEM. */
int px_module_id_init(const struct px_keys *k, const char *path,
		      enum px_kind kind, const struct px_fingerprint *fp,
		      struct px_module_id *ret);
void px_module_id_fini(struct px_module_id *id); /* of zeros is fine */

/* The index key of the same module, if its file has the fingerprint `fp`. */
void px_module_id_index(const struct px_keys *k, const struct px_module_id *id,
			const struct px_fingerprint *fp,
			uint8_t ret[PX_DIGEST_SIZE]);

/* The blob key of the same module, if its file `st` has these bytes, for which
 * px_form_level has said `level`. */
void px_module_id_blob(const struct px_keys *k, const struct px_module_id *id,
		       unsigned level, const struct px_buf *source,
		       const struct px_stat *st, uint8_t ret[PX_DIGEST_SIZE]);

/* Whether `b` depends on co_filename although its blob key does not: it is one
 * of the few without a canonical form, and belongs under another key. */
bool px_keys_need_name(const struct px_keys *k, const struct px_blob *b);
/* That key, made of the blob key `key` and co_filename. False: `key` depends on
 * the name already. */
bool px_module_id_named(const struct px_keys *k, const struct px_module_id *id,
			const uint8_t key[PX_DIGEST_SIZE],
			uint8_t ret[PX_DIGEST_SIZE]);

/* The time in the header of the .pyc: 0 unless the mode wants the time. */
uint32_t px_form_header_mtime(const struct px_form *f,
			      const struct px_stat *st);

/* The profile that px_cache_put counts a module of this level under. */
uint32_t px_keys_cache_profile(const struct px_keys *k, unsigned level);
/* The one of a module that came signed by `name` (signer.h). */
uint32_t px_keys_signed_profile(const struct px_keys *k, unsigned level,
				const char *name);

#endif
