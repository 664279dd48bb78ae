/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "courier/sigv4.h"

#include <string.h>

static const char *find(char *const *headers, const char *name)
{
	const size_t n = strlen(name);

	for (; *headers; headers++)
		if (strncmp(*headers, name, n) == 0 && (*headers)[n] == ':')
			return *headers + n + 2;
	return NULL;
}

/* What botocore (S3SigV4Auth) makes of the same requests. */
static void test_as_botocore(void **state PX_UNUSED)
{
	static const struct {
		const char *method, *host, *path, *token, *body;
		const char *signature;
	} cases[] = {
		{"GET", "examplebucket.s3.amazonaws.com", "/test.txt", NULL, "",
		 "df548e2ce037944d03f3e68682813b093763996d597cf890ca3d9037fd231"
		 "eb4"},
		{"PUT", "localhost:8080", "/b/p/pycfs1/0123/ab/abcd", NULL,
		 "body",
		 "395734a28537429ba1cfe2682a3cb02e6c219ed62ce0fe8609ac3974d14eb"
		 "417"},
		{"PUT", "s3.eu-west-1.amazonaws.com", "/b/x",
		 "the+token/=", "PXC1 and more",
		 "bf47bc0d12c0ba255fd74390b1a222da9df3746df469a675ce752a762958e"
		 "ef0"},
		{"GET", "h", "/b/x", "t", "",
		 "19f23faaae9410f867b1483f29b78cb6c48a110052768050b2f2fd89756a5"
		 "97e"},
	};
	char *headers[PX_SIGV4_HEADERS + 1];

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		const struct px_sigv4 s = {
			.method = cases[i].method,
			.host = cases[i].host,
			.path = cases[i].path,
			.region = "us-east-1",
			.service = "s3",
			.key_id = "AKIAIOSFODNN7EXAMPLE",
			.secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
			.token = cases[i].token,
			.body = cases[i].body,
			.n = strlen(cases[i].body),
			.now = 1369353600, /* 2013-05-24 */
		};
		const char *signature;

		assert_int_equal(px_sigv4_sign(&s, headers), 0);
		assert_string_equal(find(headers, "x-amz-date"),
				    "20130524T000000Z");
		assert_string_equal(find(headers, "Host"), cases[i].host);
		signature =
			strstr(find(headers, "Authorization"), "Signature=");
		assert_non_null(signature);
		assert_string_equal(signature + 10, cases[i].signature);
		px_sigv4_fini(headers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_botocore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
