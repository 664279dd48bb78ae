/* SPDX-License-Identifier: MIT */
#include "depot_s3.h"

#include <stdio.h>

#define UNRESERVED                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789-._~"

static const char *first_of(const char *const *names)
{
	const char *value = NULL;

	for (; *names && (!value || !*value); names++)
		value = getenv(*names);
	return value && *value ? value : NULL;
}

/* The value of `name` in the query, which is taken apart; NULL: there is none.
 */
static char *find_value(char *query, const char *name)
{
	const size_t n = strlen(name);
	char *save = NULL;

	for (char *item = strtok_r(query, "&", &save); item;
	     item = strtok_r(NULL, "&", &save))
		if (strncmp(item, name, n) == 0 && item[n] == '=')
			return strdup(item + n + 1);
	return NULL;
}

static char *find_setting(const char *query, const char *name,
			  const char *const *env)
{
	PX_AUTOFREE char *copy = strdup(query);
	char *value = copy ? find_value(copy, name) : NULL;
	const char *other = value ? NULL : first_of(env);

	return other ? strdup(other) : value;
}

/* Whether the query has nothing but these two. */
static bool is_known(const char *query)
{
	for (const char *p = query; *p; p += strcspn(p, "&"), p += *p == '&')
		if (strncmp(p, "endpoint=", 9) != 0 &&
		    strncmp(p, "region=", 7) != 0)
			return false;
	return true;
}

/* Whether it is http[s]://HOST[:PORT]. */
static bool is_endpoint(const char *url)
{
	const char *host = strstr(url, "://");

	return host &&
	       (strncmp(url, "https://", 8) == 0 ||
		strncmp(url, "http://", 7) == 0) &&
	       host[3] &&
	       strspn(host + 3, UNRESERVED ":[]") == strlen(host + 3);
}

int px_depot_s3_base(const char *rest, char **ret, struct px_why *why)
{
	static const char *const endpoints[] = {"AWS_ENDPOINT_URL_S3",
						"AWS_ENDPOINT_URL", NULL};
	static const char *const regions[] = {"AWS_REGION",
					      "AWS_DEFAULT_REGION", NULL};
	const size_t n = strcspn(rest, "?");
	const char *query = rest[n] ? rest + n + 1 : "";
	PX_AUTOFREE char *endpoint = find_setting(query, "endpoint", endpoints);
	PX_AUTOFREE char *region = find_setting(query, "region", regions);
	size_t path = n;

	while (path > 0 && rest[path - 1] == '/')
		path--;
	if (path == 0 || *rest == '/' || strspn(rest, UNRESERVED "/") != n ||
	    !is_known(query))
		return px_because(why, -EINVAL,
				  "bad store 's3://%s': it has to be "
				  "s3://BUCKET/PREFIX?endpoint=https://HOST&"
				  "region=NAME, of letters, digits, '-', '.', "
				  "'_' and '~'",
				  rest);
	if ((endpoint && !is_endpoint(endpoint)) ||
	    (region && (!*region || region[strspn(region, UNRESERVED)])))
		return px_because(why, -EINVAL,
				  "bad store 's3://%s': its endpoint has to be "
				  "https://HOST, its region a name",
				  rest);
	if (asprintf(ret, "%s %s%s%s/%.*s", region ? region : "us-east-1",
		     endpoint ? endpoint : "https://s3.",
		     endpoint ? ""
		     : region ? region
			      : "us-east-1",
		     endpoint ? "" : ".amazonaws.com", (int)path, rest) < 0)
		return -ENOMEM;
	return 0;
}
