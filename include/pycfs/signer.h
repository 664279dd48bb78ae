/* SPDX-License-Identifier: MIT */
#ifndef PX_SIGNER_H
#define PX_SIGNER_H
/*
 * Who signs what machines share: ed25519 keys with names (RFC 8032; libsodium's
 * crypto_sign_detached), as text and in files.
 *
 *   public key  NAME:BASE64 of its 32 bytes, in one line
 *   key file    "pycfs-signing-key 1 NAME BASE64 of the 32 bytes of its seed",
 *               in one line
 *
 * A name is 1 to PX_SIGNER_NAME_MAX letters, digits, dots, hyphens and
 * underscores. It is what people read; the key is what counts.
 *
 * Threads: any. Only what says so touches files.
 * Owns: <sodium.h>, as far as it signs.
 */

#include "pycfs/util.h"

#define PX_SIGNER_NAME_MAX 32
/* Of libsodium 1.0.18: crypto_sign_PUBLICKEYBYTES and crypto_sign_BYTES. */
#define PX_SIGNER_KEY_SIZE  32
#define PX_SIGNATURE_SIZE   64
#define PX_SIGNER_ID_SIZE   8
#define PX_SIGNER_TEXT_SIZE (PX_SIGNER_NAME_MAX + 1 + 44 + 1) /* with a NUL */

/* A public key. */
struct px_signer {
	char name[PX_SIGNER_NAME_MAX + 1];
	uint8_t key[PX_SIGNER_KEY_SIZE];
	uint8_t id[PX_SIGNER_ID_SIZE]; /* of the key: a digest's first bytes */
};

/* A key that signs. Whoever has one wipes it in the end. */
struct px_secret {
	struct px_signer signer;
	uint8_t key[64]; /* crypto_sign_SECRETKEYBYTES */
};

/* Reads a public key, of which `n` bytes are there. 0; -EINVAL, with a sentence
 * in `why`. */
int px_signer_parse(const char *text, size_t n, struct px_signer *ret,
		    struct px_why *why);
/* As text, which px_signer_parse reads. */
void px_signer_text(const struct px_signer *s, char ret[PX_SIGNER_TEXT_SIZE]);

/* Makes a key pair and writes the key file, which must not be there yet, for
 * its owner only. 0 and the public key; -EEXIST and other -errno of the file,
 * -EINVAL for the name, with a sentence in `why`. */
int px_secret_make(const char *name, const char *file, struct px_signer *ret,
		   struct px_why *why);
/* Reads a key file. Refuses one that others than its owner and root can write.
 * 0; -EINVAL, -EPERM or an -errno of the file, with a sentence in `why`. */
int px_secret_read(const char *file, struct px_secret *ret, struct px_why *why);
void px_secret_wipe(struct px_secret *s);

void px_sign(const struct px_secret *s, const void *data, size_t n,
	     uint8_t ret[PX_SIGNATURE_SIZE]);
bool px_signed_by(const struct px_signer *s, const void *data, size_t n,
		  const uint8_t signature[PX_SIGNATURE_SIZE]);

#endif
