/* SPDX-License-Identifier: MIT */
#include "curl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

/* In ms: until it is connected, and for all of a request. */
#define CONNECT 1000
#define ALL	15000
/* Seconds without a byte. */
#define SILENCE 2L
/* Seconds that a store may ask to be left alone for (Retry-After). */
#define MAX_PAUSE 2

/* The functions of libcurl (curl.h 7.88); curl_easy_setopt and getinfo are
 * macros there, for checks that a pointer cannot have. */
static struct {
	CURLcode (*global_init)(long flags);
	CURL *(*init)(void);
	void (*reset)(CURL *h);
	CURLcode (*setopt)(CURL *h, CURLoption option, ...);
	CURLcode (*perform)(CURL *h);
	CURLcode (*getinfo)(CURL *h, CURLINFO info, ...);
	const char *(*strerror)(CURLcode code);
	struct curl_slist *(*append)(struct curl_slist *list, const char *text);
	void (*free_all)(struct curl_slist *list);
} curl;

struct px_curl {
	CURL *h;
	char error[CURL_ERROR_SIZE];
	char *bearer;		    /* NULL: none */
	struct curl_slist *headers; /* of the request */
	bool is_signed;		    /* by them */
	const uint8_t *from;	    /* what is stored */
	size_t n, at;
	struct px_buf *to; /* what is read */
	bool too_large;
};

static int find(void *lib, const char *name, void *ret)
{
	void *symbol = dlsym(lib, name);

	memcpy(ret, &symbol, sizeof(symbol));
	return symbol ? 0 : -ELIBACC;
}

int px_curl_load(struct px_why *why)
{
	static const char *const names[] = {"libcurl.so.4",
					    "libcurl-gnutls.so.4"};
	void *lib = NULL;
	int r = 0;

	for (size_t i = 0; i < PX_ARRAY_LEN(names) && !lib; i++)
		lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (lib) {
		r |= find(lib, "curl_global_init", &curl.global_init);
		r |= find(lib, "curl_easy_init", &curl.init);
		r |= find(lib, "curl_easy_reset", &curl.reset);
		r |= find(lib, "curl_easy_setopt", &curl.setopt);
		r |= find(lib, "curl_easy_perform", &curl.perform);
		r |= find(lib, "curl_easy_getinfo", &curl.getinfo);
		r |= find(lib, "curl_easy_strerror", &curl.strerror);
		r |= find(lib, "curl_slist_append", &curl.append);
		r |= find(lib, "curl_slist_free_all", &curl.free_all);
	}
	if (!lib || r < 0 || curl.global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		return px_because(why, -ELIBACC,
				  "libcurl is not installed (Debian: "
				  "libcurl4)");
	return 0;
}

/* The token of the environment, or the first line of its file; the caller frees
 * it. NULL: none. */
static char *find_token(void)
{
	const char *token = getenv("PYCFS_REMOTE_TOKEN");
	const char *file = getenv("PYCFS_REMOTE_TOKEN_FILE");
	char line[4096];
	FILE *f;

	if (token && *token)
		return strdup(token);
	f = file && *file ? fopen(file, "re") : NULL;
	if (!f)
		return NULL;
	token = fgets(line, sizeof(line), f);
	fclose(f);
	line[token ? strcspn(line, "\r\n") : 0] = '\0';
	return *line ? strdup(line) : NULL;
}

struct px_curl *px_curl_new(void)
{
	struct px_curl *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->h = curl.init();
	c->bearer = find_token();
	return c->h ? c : NULL;
}

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct px_curl *c = arg;

	if (px_buf_add(c->to, data, size * n) == 0)
		return size * n;
	c->too_large = true;
	return 0;
}

static size_t give(char *data, size_t size, size_t n, void *arg)
{
	struct px_curl *c = arg;
	const size_t left = c->n - c->at;
	const size_t some = size * n < left ? size * n : left;

	memcpy(data, c->from + c->at, some);
	c->at += some;
	return some;
}

/* Where a request begins anew: it was sent on a connection that had ended. */
static int rewind_to(void *arg, curl_off_t offset, int origin)
{
	struct px_curl *c = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > c->n)
		return CURL_SEEKFUNC_FAIL;
	c->at = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static void set_env(struct px_curl *c, const char *name, CURLoption option)
{
	const char *value = getenv(name);

	if (value && *value)
		curl.setopt(c->h, option, value);
}

static void prepare(struct px_curl *c, const char *url)
{
	CURL *h = c->h;

	curl.reset(h);
	*c->error = '\0';
	c->at = 0;
	c->too_large = false;
	curl.setopt(h, CURLOPT_URL, url);
	if (curl.setopt(h, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK)
		/* Before 7.85; its own name is deprecated since. */
		curl.setopt(h, (CURLoption)(CURLOPTTYPE_LONG + 181),
			    (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
	curl.setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl.setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl.setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT);
	curl.setopt(h, CURLOPT_TIMEOUT_MS, (long)ALL);
	curl.setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl.setopt(h, CURLOPT_LOW_SPEED_TIME, SILENCE);
	curl.setopt(h, CURLOPT_ERRORBUFFER, c->error);
	curl.setopt(h, CURLOPT_USERAGENT, "pycfs");
	curl.setopt(h, CURLOPT_HTTPHEADER, c->headers);
	curl.setopt(h, CURLOPT_WRITEFUNCTION, take);
	curl.setopt(h, CURLOPT_WRITEDATA, c);
	if (!c->is_signed)
		curl.setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	if (c->bearer && !c->is_signed) {
		curl.setopt(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl.setopt(h, CURLOPT_XOAUTH2_BEARER, c->bearer);
	}
	set_env(c, "PYCFS_REMOTE_CA", CURLOPT_CAINFO);
	set_env(c, "PYCFS_REMOTE_CERT", CURLOPT_SSLCERT);
	set_env(c, "PYCFS_REMOTE_KEY", CURLOPT_SSLKEY);
}

/* What a failure of libcurl's means. */
static int failure(const struct px_curl *c, CURLcode code, struct px_why *why)
{
	const char *text = *c->error ? c->error : curl.strerror(code);
	int err = -EIO;

	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		err = -EHOSTUNREACH;
		break;
	case CURLE_COULDNT_CONNECT:
		err = -ECONNREFUSED;
		break;
	case CURLE_OPERATION_TIMEDOUT:
		err = -ETIMEDOUT;
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		err = -EPROTO;
		break;
	default:
		if (c->too_large)
			err = -EFBIG;
		break;
	}
	return px_because(why, err, "%s", text);
}

static int judge(const struct px_curl *c, long status, struct px_why *why)
{
	switch (status) {
	case 200:
	case 201:
	case 204:
		return 0;
	case 404:
	case 410:
		return -ENOENT;
	case 401:
	case 403:
	case 407:
		return px_because(why, -EACCES,
				  "it refuses (HTTP %ld): look at %s", status,
				  c->is_signed ? "AWS_ACCESS_KEY_ID and its "
						 "secret, and the region"
					       : "PYCFS_REMOTE_TOKEN or "
						 "~/.netrc");
	case 413:
		return px_because(why, -EFBIG,
				  "it takes no object of this "
				  "size (HTTP 413)");
	case 507:
		return px_because(why, -ENOSPC, "it is full (HTTP 507)");
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		return px_because(why, -EAGAIN, "it is in trouble (HTTP %ld)",
				  status);
	default:
		return px_because(why, -EIO, "it answers with HTTP %ld%s",
				  status,
				  status >= 300 && status < 400
					  ? ": pycfs follows no redirection"
					  : "");
	}
}

static int once(struct px_curl *c, const char *url, struct px_why *why)
{
	long status = 0;
	CURLcode code;

	prepare(c, url);
	if (c->from) {
		curl.setopt(c->h, CURLOPT_UPLOAD, 1L);
		curl.setopt(c->h, CURLOPT_READFUNCTION, give);
		curl.setopt(c->h, CURLOPT_READDATA, c);
		curl.setopt(c->h, CURLOPT_SEEKFUNCTION, rewind_to);
		curl.setopt(c->h, CURLOPT_SEEKDATA, c);
		curl.setopt(c->h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->n);
	}
	code = curl.perform(c->h);
	if (code != CURLE_OK)
		return failure(c, code, why);
	curl.getinfo(c->h, CURLINFO_RESPONSE_CODE, &status);
	return judge(c, status, why);
}

/* Whether a second try may help; waits as long as the store wants. */
static bool try_again(struct px_curl *c, int err)
{
	curl_off_t pause = 0;

	if (err != -EAGAIN && err != -ECONNREFUSED && err != -EIO)
		return false;
	if (curl.getinfo(c->h, CURLINFO_RETRY_AFTER, &pause) == CURLE_OK &&
	    pause > MAX_PAUSE)
		return false;
	nanosleep(&(struct timespec){.tv_sec = pause,
				     .tv_nsec = pause > 0 ? 0 : 100000000},
		  NULL);
	return true;
}

/* Sets c->headers. */
static int take_headers(struct px_curl *c, char *const *headers)
{
	/* No "100 Continue": it would cost another round trip. */
	struct curl_slist *list = curl.append(NULL, "Expect:"), *more = list;

	c->is_signed = headers != NULL;
	for (; headers && *headers && more; headers++) {
		more = curl.append(list, *headers);
		list = more ? more : list;
	}
	c->headers = list;
	return more ? 0 : -ENOMEM;
}

static int perform(struct px_curl *c, const char *url, char *const *headers,
		   struct px_why *why)
{
	int r = take_headers(c, headers);

	c->to->size = 0;
	if (r == 0)
		r = once(c, url, why);
	if (r < 0 && try_again(c, r)) {
		c->to->size = 0;
		r = once(c, url, why);
	}
	curl.free_all(c->headers);
	return r;
}

int px_curl_get(struct px_curl *c, const char *url, char *const *headers,
		struct px_buf *ret, struct px_why *why)
{
	c->from = NULL;
	c->to = ret;
	return perform(c, url, headers, why);
}

int px_curl_put(struct px_curl *c, const char *url, char *const *headers,
		const void *data, size_t n, struct px_why *why)
{
	/* Of what it says to that nothing is wanted, but it may say something.
	 */
	PX_AUTO(px_buf_fini) struct px_buf said = {.max = 1u << 20};
	int r;

	c->from = data;
	c->n = n;
	c->to = &said;
	r = perform(c, url, headers, why);
	return r == -ENOENT ? px_because(why, -ENXIO,
					 "it has no such place (HTTP 404)")
			    : r;
}
