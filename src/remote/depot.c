/* SPDX-License-Identifier: MIT */
#include "depot.h"

#include "depot_dir.h"
#include "depot_http.h"
#include "depot_s3.h"

#include "pycfs/courier.h"

#include <limits.h>
#include <stdio.h>
#include <strings.h>

/* The directory of this format of objects. */
#define FORMAT "pycfs1"
/* What the path of an object adds to a URL, at most. */
#define NAME_SIZE 128
#define BAZEL	  "layout=bazel"

struct px_depot {
	struct px_depot_dir *dir; /* one of these two */
	struct px_depot_http *http;
	char *base; /* of the URL, without a slash at its end */
	bool bazel; /* names as bazel-remote has them */
};

static const char *after(const char *text, const char *prefix)
{
	const size_t n = strlen(prefix);

	return strncasecmp(text, prefix, n) == 0 ? text + n : NULL;
}

/* What is behind http:// or https://; NULL: it is another URL. */
static const char *http_rest(const char *url)
{
	const char *rest = after(url, "https://");

	return rest ? rest : after(url, "http://");
}

/* Whether the host that `rest` begins with is this machine. */
static bool is_here(const char *rest)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
	const size_t n = strcspn(rest, "/?");

	for (size_t i = 0; i < PX_ARRAY_LEN(hosts); i++) {
		const size_t k = strlen(hosts[i]);

		if (n >= k && strncasecmp(rest, hosts[i], k) == 0 &&
		    (n == k || rest[k] == ':'))
			return true;
	}
	return false;
}

static bool has_token(void)
{
	const char *token = getenv("PYCFS_REMOTE_TOKEN");
	const char *file = getenv("PYCFS_REMOTE_TOKEN_FILE");

	return (token && *token) || (file && *file);
}

static int check_http(const char *url, const char *rest, struct px_why *why)
{
	const char *query = strchr(rest, '?');
	const size_t host = strcspn(rest, "/?#");

	for (const char *p = url; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '#')
			return px_because(why, -EINVAL,
					  "bad store '%s': a URL has no "
					  "blanks and no '#'",
					  url);
	if (memchr(rest, '@', host))
		return px_because(why, -EINVAL,
				  "bad store: a password in a URL would be "
				  "seen by all: put it into ~/.netrc, or a "
				  "token into PYCFS_REMOTE_TOKEN");
	if (host == 0 || strlen(url) > PX_COURIER_URL_MAX - NAME_SIZE)
		return px_because(why, -EINVAL,
				  "bad store '%s': it has to be "
				  "https://HOST/PATH",
				  url);
	if (query && strcmp(query + 1, BAZEL) != 0)
		return px_because(why, -EINVAL,
				  "bad store '%s': behind the '?' may be "
				  "%s, and nothing else",
				  url, BAZEL);
	if (has_token() && after(url, "http://") && !is_here(rest))
		return px_because(why, -EPERM,
				  "bad store '%s': anybody on the way could "
				  "read the token: use https",
				  url);
	return 0;
}

int px_depot_check_url(const char *url, struct px_why *why)
{
	const char *dir = after(url, "file://");
	const char *rest = http_rest(url), *s3 = after(url, "s3://");
	PX_AUTOFREE char *base = NULL;

	if (rest)
		return check_http(url, rest, why);
	if (s3)
		return px_depot_s3_base(s3, &base, why);
	if (!dir)
		return px_because(why, -EPROTONOSUPPORT,
				  "bad store '%s': this pycfs knows "
				  "file:///DIR, https://HOST/PATH, "
				  "http://HOST/PATH and s3://BUCKET/PREFIX",
				  url);
	if (*dir != '/' || strlen(dir) > PATH_MAX / 2)
		return px_because(why, -EINVAL,
				  "bad store '%s': the directory has to be an "
				  "absolute path: file:///DIR",
				  url);
	return 0;
}

static int open_http(struct px_depot *d, const char *url)
{
	size_t n = strcspn(url, "?");
	int r = px_depot_http_open(false, &d->http);

	d->bazel = url[n] == '?';
	while (n > 0 && url[n - 1] == '/')
		n--;
	d->base = strndup(url, n);
	return r == 0 && !d->base ? -ENOMEM : r;
}

static int open_s3(struct px_depot *d, const char *rest)
{
	int r = px_depot_http_open(true, &d->http);

	return r < 0 ? r : px_depot_s3_base(rest, &d->base, NULL);
}

int px_depot_open(const char *url, struct px_depot **ret)
{
	struct px_depot *d = calloc(1, sizeof(*d));
	const char *dir = after(url, "file://"), *s3 = after(url, "s3://");
	int r = -ENOMEM;

	if (d)
		r = dir	 ? px_depot_dir_open(dir, &d->dir)
		    : s3 ? open_s3(d, s3)
			 : open_http(d, url);
	if (r < 0)
		px_depot_close(d);
	else
		*ret = d;
	return r;
}

void px_depot_close(struct px_depot *d)
{
	if (!d)
		return;
	px_depot_dir_close(d->dir);
	px_depot_http_close(d->http);
	free(d->base);
	free(d);
}

unsigned px_depot_slots(const struct px_depot *d)
{
	/* What a directory gives is limited by the CPUs that check it. */
	return d->dir ? 2 : PX_COURIER_SLOTS;
}

void px_depot_cancel(struct px_depot *d)
{
	if (d->http)
		px_depot_http_cancel(d->http);
}

static void put_hex(char *p, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(p + 2 * i, "%02x", bytes[i]);
}

/* bazel-remote knows keys of one SHA-256 only, so the signer goes into it. */
static void bazel_name(const uint8_t signer[PX_SIGNER_ID_SIZE],
		       const uint8_t name[PX_DIGEST_SIZE], char ret[NAME_SIZE])
{
	uint8_t both[PX_DIGEST_SIZE];
	struct px_digest d;

	px_digest_init(&d);
	px_digest_field(&d, "signer", signer, PX_SIGNER_ID_SIZE);
	px_digest_field(&d, "name", name, PX_DIGEST_SIZE);
	px_digest_final(&d, both);
	put_hex(stpcpy(ret, "ac/"), both, sizeof(both));
}

static void path_of(const struct px_depot *d,
		    const uint8_t signer[PX_SIGNER_ID_SIZE],
		    const uint8_t name[PX_DIGEST_SIZE], char ret[NAME_SIZE])
{
	char id[2 * PX_SIGNER_ID_SIZE + 1], hex[2 * PX_DIGEST_SIZE + 1];

	if (d->bazel) {
		bazel_name(signer, name, ret);
		return;
	}
	put_hex(id, signer, PX_SIGNER_ID_SIZE);
	put_hex(hex, name, PX_DIGEST_SIZE);
	snprintf(ret, NAME_SIZE, FORMAT "/%s/%.2s/%s", id, hex, hex);
}

static void url_of(const struct px_depot *d, const char *path,
		   char ret[PX_COURIER_URL_MAX])
{
	snprintf(ret, PX_COURIER_URL_MAX, "%s/%s", d->base, path);
}

int px_depot_get(struct px_depot *d, unsigned slot,
		 const uint8_t signer[PX_SIGNER_ID_SIZE],
		 const uint8_t name[PX_DIGEST_SIZE], bool keep,
		 struct px_buf *ret, struct px_why *why)
{
	char path[NAME_SIZE], url[PX_COURIER_URL_MAX];

	path_of(d, signer, name, path);
	if (d->dir)
		return px_depot_dir_get(d->dir, path, keep, ret);
	url_of(d, path, url);
	return px_depot_http_get(d->http, slot, url, ret, why);
}

int px_depot_put(struct px_depot *d, unsigned slot,
		 const uint8_t signer[PX_SIGNER_ID_SIZE],
		 const uint8_t name[PX_DIGEST_SIZE], const void *data, size_t n,
		 struct px_why *why)
{
	char path[NAME_SIZE], url[PX_COURIER_URL_MAX];

	path_of(d, signer, name, path);
	if (d->dir)
		return px_depot_dir_put(d->dir, path, data, n);
	url_of(d, path, url);
	return px_depot_http_put(d->http, slot, url, data, n, why);
}
