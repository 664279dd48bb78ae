/* SPDX-License-Identifier: MIT */
/* Input: the METADATA of a distribution. */
#include "fuzz.h"

#include "pycfs/text.h"
#include "report/licence.h"

static void check_text(const char *text)
{
	size_t n;

	MUST(*text && strlen(text) <= 1000);
	for (; *text; text += n)
		MUST(!px_is_control(text, &n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = (char *)fuzz_copy(data, size);
	struct px_sbom_part p = {.name = strdup("name"), .version = strdup("")};

	MUST(px_licence_read(text, size, &p) == 0);
	check_text(p.name);
	if (*p.version)
		check_text(p.version);
	MUST(p.n_licences <= 32);
	for (size_t i = 0; i < p.n_licences; i++) {
		MUST(p.licences[i].kind != PX_LICENCE_EXPRESSION ||
		     p.n_licences == 1);
		check_text(p.licences[i].text);
		free(p.licences[i].text);
	}
	free(p.licences);
	free(p.name);
	free(p.version);
	free(text);
	return 0;
}
