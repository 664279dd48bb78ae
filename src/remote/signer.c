/* SPDX-License-Identifier: MIT */
#include "pycfs/signer.h"

#include "pycfs/digest.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

_Static_assert(PX_SIGNER_KEY_SIZE == crypto_sign_PUBLICKEYBYTES,
	       "libsodium's size of a public key");
_Static_assert(PX_SIGNATURE_SIZE == crypto_sign_BYTES,
	       "libsodium's size of a signature");
_Static_assert(sizeof(((struct px_secret *)0)->key) ==
		       crypto_sign_SECRETKEYBYTES,
	       "libsodium's size of a secret key");

#define FILE_BEGINS "pycfs-signing-key 1 "
#define FILE_MAX    256
/* Base64 of 32 bytes, without the NUL. */
#define BASE64_SIZE 44

static bool is_name(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '.' || c == '-' ||
		      c == '_'))
			return false;
	}
	return n > 0 && n <= PX_SIGNER_NAME_MAX;
}

static bool from_base64(const char *text, size_t n,
			uint8_t ret[PX_SIGNER_KEY_SIZE])
{
	size_t size;

	return n == BASE64_SIZE &&
	       sodium_base642bin(ret, PX_SIGNER_KEY_SIZE, text, n, NULL, &size,
				 NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       size == PX_SIGNER_KEY_SIZE;
}

static void to_base64(const uint8_t key[PX_SIGNER_KEY_SIZE],
		      char ret[BASE64_SIZE + 1])
{
	sodium_bin2base64(ret, BASE64_SIZE + 1, key, PX_SIGNER_KEY_SIZE,
			  sodium_base64_VARIANT_ORIGINAL);
}

static void make_id(struct px_signer *s)
{
	uint8_t digest[PX_DIGEST_SIZE];
	struct px_digest d;

	px_digest_init(&d);
	px_digest_field(&d, "signer", s->key, sizeof(s->key));
	px_digest_final(&d, digest);
	memcpy(s->id, digest, sizeof(s->id));
}

static void put_name(struct px_signer *s, const char *name, size_t n)
{
	memset(s->name, 0, sizeof(s->name));
	memcpy(s->name, name, n);
}

int px_signer_parse(const char *text, size_t n, struct px_signer *ret,
		    struct px_why *why)
{
	const char *colon = memchr(text, ':', n);
	const size_t n_name = colon ? (size_t)(colon - text) : n;

	if (!colon || !is_name(text, n_name) ||
	    !from_base64(colon + 1, n - n_name - 1, ret->key))
		return px_because(why, -EINVAL,
				  "bad public key '%.*s': it has to be "
				  "NAME:KEY, as pycfs cache keygen prints it",
				  (int)(n < 100 ? n : 100), text);
	put_name(ret, text, n_name);
	make_id(ret);
	return 0;
}

void px_signer_text(const struct px_signer *s, char ret[PX_SIGNER_TEXT_SIZE])
{
	char key[BASE64_SIZE + 1];

	to_base64(s->key, key);
	snprintf(ret, PX_SIGNER_TEXT_SIZE, "%s:%s", s->name, key);
}

static void from_seed(const uint8_t seed[PX_SIGNER_KEY_SIZE], const char *name,
		      size_t n_name, struct px_secret *ret)
{
	put_name(&ret->signer, name, n_name);
	crypto_sign_seed_keypair(ret->signer.key, ret->key, seed);
	make_id(&ret->signer);
}

/* Writes a new file that its owner alone can read, or none. */
static int write_new(const char *file, const char *text, struct px_why *why)
{
	PX_AUTOCLOSE int fd =
		open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : px_write_full(fd, text, strlen(text));

	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	if (fd >= 0)
		unlink(file);
	return px_because(why, r, "cannot write %s: %s%s", file, strerror(-r),
			  r == -EEXIST ? "; a key is never written over" : "");
}

int px_secret_make(const char *name, const char *file, struct px_signer *ret,
		   struct px_why *why)
{
	char text[FILE_MAX], base64[BASE64_SIZE + 1];
	uint8_t seed[PX_SIGNER_KEY_SIZE];
	struct px_secret secret;
	int r;

	if (!is_name(name, strlen(name)))
		return px_because(why, -EINVAL,
				  "'%s' is no name for a key: 1 to %d letters, "
				  "digits, '.', '-' and '_'",
				  name, PX_SIGNER_NAME_MAX);
	if (sodium_init() < 0)
		return px_because(why, -EIO, "libsodium cannot start");
	randombytes_buf(seed, sizeof(seed));
	from_seed(seed, name, strlen(name), &secret);
	*ret = secret.signer;
	to_base64(seed, base64);
	snprintf(text, sizeof(text), FILE_BEGINS "%s %s\n", name, base64);
	r = write_new(file, text, why);
	px_secret_wipe(&secret);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(base64, sizeof(base64));
	sodium_memzero(text, sizeof(text));
	return r;
}

static int parse_secret(const char *text, size_t n, struct px_secret *ret)
{
	const size_t n_begins = strlen(FILE_BEGINS);
	uint8_t seed[PX_SIGNER_KEY_SIZE];
	const char *name = text + n_begins, *blank;
	bool fine;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (n <= n_begins || memcmp(text, FILE_BEGINS, n_begins) != 0)
		return -EINVAL;
	blank = memchr(name, ' ', n - n_begins);
	if (!blank || !is_name(name, (size_t)(blank - name)))
		return -EINVAL;
	fine = from_base64(blank + 1, n - (size_t)(blank + 1 - text), seed);
	if (fine)
		from_seed(seed, name, (size_t)(blank - name), ret);
	sodium_memzero(seed, sizeof(seed));
	return fine ? 0 : -EINVAL;
}

/* Whoever can write it could make us sign under a key of theirs. */
static bool others_write(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || (st.st_mode & 022) != 0 ||
	       (st.st_uid != geteuid() && st.st_uid != 0);
}

int px_secret_read(const char *file, struct px_secret *ret, struct px_why *why)
{
	PX_AUTOCLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[FILE_MAX];
	ssize_t n;
	int r;

	if (fd < 0)
		return px_because(why, -errno, "cannot read the key %s: %s",
				  file, strerror(errno));
	if (others_write(fd))
		return px_because(why, -EPERM,
				  "others can write %s: a key that signs "
				  "belongs to its user alone (chmod 600)",
				  file);
	n = px_read_full(fd, text, sizeof(text));
	r = n < 0 ? (int)n : parse_secret(text, (size_t)n, ret);
	sodium_memzero(text, sizeof(text));
	if (r == -EINVAL)
		return px_because(why, r,
				  "%s is no key that signs: pycfs cache keygen "
				  "writes one",
				  file);
	return r == 0 ? 0
		      : px_because(why, r, "cannot read the key %s: %s", file,
				   strerror(-r));
}

void px_secret_wipe(struct px_secret *s)
{
	sodium_memzero(s, sizeof(*s));
}

void px_sign(const struct px_secret *s, const void *data, size_t n,
	     uint8_t ret[PX_SIGNATURE_SIZE])
{
	crypto_sign_detached(ret, NULL, data, n, s->key);
}

bool px_signed_by(const struct px_signer *s, const void *data, size_t n,
		  const uint8_t signature[PX_SIGNATURE_SIZE])
{
	return crypto_sign_verify_detached(signature, data, n, s->key) == 0;
}
