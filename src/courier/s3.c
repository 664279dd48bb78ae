/* SPDX-License-Identifier: MIT */
#include "s3.h"

#include "sigv4.h"

/* What a request for `where` needs: its parts point into `copy`. */
struct target {
	char *copy, *host;
	struct px_sigv4 sign;
	const char *url;
};

static void target_fini(struct target *t)
{
	free(t->copy);
	free(t->host);
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static int make_target(const char *where, const char *method, const void *data,
		       size_t n, struct target *ret, struct px_why *why)
{
	char *blank, *host, *path;

	*ret = (struct target){.copy = strdup(where)};
	if (!ret->copy)
		return -ENOMEM;
	blank = strchr(ret->copy, ' ');
	host = blank ? strstr(blank, "://") : NULL;
	path = host ? strchr(host + 3, '/') : NULL;
	if (!path)
		return px_because(why, -EINVAL, "no URL of an object");
	*blank = '\0';
	ret->url = blank + 1;
	ret->host = strndup(host + 3, (size_t)(path - host - 3));
	ret->sign = (struct px_sigv4){
		.method = method,
		.host = ret->host,
		.path = path,
		.region = ret->copy,
		.service = "s3",
		.key_id = env("AWS_ACCESS_KEY_ID"),
		.secret = env("AWS_SECRET_ACCESS_KEY"),
		.token = env("AWS_SESSION_TOKEN"),
		.body = data,
		.n = n,
		.now = time(NULL),
	};
	if (!ret->host)
		return -ENOMEM;
	if (!ret->sign.key_id || !ret->sign.secret)
		return px_because(why, -EACCES,
				  "no credentials: AWS_ACCESS_KEY_ID and "
				  "AWS_SECRET_ACCESS_KEY are not set");
	return 0;
}

int px_s3_get(struct px_curl *c, const char *where, struct px_buf *ret,
	      struct px_why *why)
{
	char *headers[PX_SIGV4_HEADERS + 1] = {NULL};
	PX_AUTO(target_fini) struct target t;
	int r = make_target(where, "GET", "", 0, &t, why);

	if (r == 0)
		r = px_sigv4_sign(&t.sign, headers);
	if (r == 0)
		r = px_curl_get(c, t.url, headers, ret, why);
	px_sigv4_fini(headers);
	return r;
}

int px_s3_put(struct px_curl *c, const char *where, const void *data, size_t n,
	      struct px_why *why)
{
	char *headers[PX_SIGV4_HEADERS + 1] = {NULL};
	PX_AUTO(target_fini) struct target t;
	int r = make_target(where, "PUT", data, n, &t, why);

	if (r == 0)
		r = px_sigv4_sign(&t.sign, headers);
	if (r == 0)
		r = px_curl_put(c, t.url, headers, data, n, why);
	px_sigv4_fini(headers);
	return r;
}
