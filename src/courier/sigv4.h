/* SPDX-License-Identifier: MIT */
#ifndef PX_COURIER_SIGV4_H
#define PX_COURIER_SIGV4_H
/*
 * Signs a request as S3 and its like want it: AWS Signature Version 4 (AWS
 * General Reference, "Signing AWS requests"), with all of its body.
 *
 * Threads: any. No function here blocks.
 */

#include "pycfs/util.h"

#include <time.h>

struct px_sigv4 {
	const char *method; /* "GET" */
	const char *host;   /* with the port, if the URL has one */
	/* From the first slash on, without a query. It has no characters that
	 * need to be encoded. */
	const char *path;
	const char *region, *service;
	const char *key_id, *secret;
	const char *token; /* NULL: none */
	const void *body;
	size_t n; /* bytes of it */
	time_t now;
};

#define PX_SIGV4_HEADERS 5 /* at most */

/* The headers that make the request a signed one, as "Name: value", into `ret`,
 * which ends with NULL. The caller frees them with px_sigv4_fini. -ENOMEM. */
int px_sigv4_sign(const struct px_sigv4 *s, char *ret[PX_SIGV4_HEADERS + 1]);
void px_sigv4_fini(char *headers[PX_SIGV4_HEADERS + 1]);

#endif
