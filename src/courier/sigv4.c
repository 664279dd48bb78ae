/* SPDX-License-Identifier: MIT */
#include "sigv4.h"

#include "pycfs/digest.h"

#include <stdio.h>

#define HEX_SIZE (2 * PX_SHA256_SIZE + 1)

static void put_hex(const uint8_t digest[PX_SHA256_SIZE], char ret[HEX_SIZE])
{
	for (int i = 0; i < PX_SHA256_SIZE; i++)
		sprintf(ret + 2 * i, "%02x", digest[i]);
}

static void hash_hex(const void *data, size_t n, char ret[HEX_SIZE])
{
	uint8_t digest[PX_SHA256_SIZE];
	struct px_sha256 s;

	px_sha256_init(&s);
	px_sha256_update(&s, data, n);
	px_sha256_final(&s, digest);
	put_hex(digest, ret);
}

/* The chain of keys, from the secret to one that is good for this day, region
 * and service only. */
static int make_key(const struct px_sigv4 *s, const char *day,
		    uint8_t ret[PX_SHA256_SIZE])
{
	const char *const steps[] = {day, s->region, s->service,
				     "aws4_request"};
	uint8_t key[PX_SHA256_SIZE];
	char *first;

	if (asprintf(&first, "AWS4%s", s->secret) < 0)
		return -ENOMEM;
	px_hmac_sha256(first, strlen(first), steps[0], strlen(steps[0]), key);
	free(first);
	for (size_t i = 1; i < PX_ARRAY_LEN(steps); i++) {
		uint8_t next[PX_SHA256_SIZE];

		px_hmac_sha256(key, sizeof(key), steps[i], strlen(steps[i]),
			       next);
		memcpy(key, next, sizeof(key));
	}
	memcpy(ret, key, sizeof(key));
	return 0;
}

/* Headers are signed in the order of their names, in small letters. */
static char *make_canonical(const struct px_sigv4 *s, const char *now,
			    const char *body, const char *names)
{
	char *text;

	if (asprintf(&text,
		     "%s\n%s\n\nhost:%s\nx-amz-content-sha256:%s\n"
		     "x-amz-date:%s\n%s%s%s\n%s\n%s",
		     s->method, s->path, s->host, body, now,
		     s->token ? "x-amz-security-token:" : "",
		     s->token ? s->token : "", s->token ? "\n" : "", names,
		     body) < 0)
		return NULL;
	return text;
}

static int sign(const struct px_sigv4 *s, const char *day, const char *now,
		const char *body, char **ret)
{
	const char *names = s->token ? "host;x-amz-content-sha256;x-amz-date;"
				       "x-amz-security-token"
				     : "host;x-amz-content-sha256;x-amz-date";
	PX_AUTOFREE char *canonical = make_canonical(s, now, body, names);
	PX_AUTOFREE char *text = NULL;
	uint8_t key[PX_SHA256_SIZE], signature[PX_SHA256_SIZE];
	char hash[HEX_SIZE], hex[HEX_SIZE];

	if (!canonical || make_key(s, day, key) < 0)
		return -ENOMEM;
	hash_hex(canonical, strlen(canonical), hash);
	if (asprintf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s",
		     now, day, s->region, s->service, hash) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	px_hmac_sha256(key, sizeof(key), text, strlen(text), signature);
	put_hex(signature, hex);
	if (asprintf(ret,
		     "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/"
		     "aws4_request, SignedHeaders=%s, Signature=%s",
		     s->key_id, day, s->region, s->service, names, hex) < 0) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

static char *header(const char *name, const char *value)
{
	char *text;

	return asprintf(&text, "%s: %s", name, value) < 0 ? NULL : text;
}

int px_sigv4_sign(const struct px_sigv4 *s, char *ret[PX_SIGV4_HEADERS + 1])
{
	char now[20], day[10], body[HEX_SIZE];
	struct tm tm;
	int n = 0;

	memset(ret, 0, (PX_SIGV4_HEADERS + 1) * sizeof(*ret));
	gmtime_r(&s->now, &tm);
	strftime(now, sizeof(now), "%Y%m%dT%H%M%SZ", &tm);
	strftime(day, sizeof(day), "%Y%m%d", &tm);
	hash_hex(s->body, s->n, body);
	ret[n++] = header("Host", s->host);
	ret[n++] = header("x-amz-date", now);
	ret[n++] = header("x-amz-content-sha256", body);
	if (s->token)
		ret[n++] = header("x-amz-security-token", s->token);
	if (sign(s, day, now, body, &ret[n]) == 0) {
		while (n >= 0 && ret[n])
			n--;
		if (n < 0)
			return 0;
	}
	px_sigv4_fini(ret);
	return -ENOMEM;
}

void px_sigv4_fini(char *headers[PX_SIGV4_HEADERS + 1])
{
	for (int i = 0; i <= PX_SIGV4_HEADERS; i++) {
		free(headers[i]);
		headers[i] = NULL;
	}
}
