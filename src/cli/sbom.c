/* SPDX-License-Identifier: MIT */
#include "sbom.h"
#include "written.h"

#include "pycfs/json.h"

static void print_licences(const struct px_sbom_part *p, FILE *to)
{
	static const char *const names[] = {
		[PX_LICENCE_ID] = "{\"license\": {\"id\": ",
		[PX_LICENCE_NAME] = "{\"license\": {\"name\": ",
		[PX_LICENCE_EXPRESSION] = "{\"expression\": ",
	};

	if (p->n_licences == 0)
		return;
	fputs(", \"licenses\": [", to);
	for (size_t i = 0; i < p->n_licences; i++) {
		const struct px_sbom_licence *l = &p->licences[i];

		fputs(i ? ", " : "", to);
		fputs(names[l->kind], to);
		px_json_string(to, l->text);
		fputs(l->kind == PX_LICENCE_EXPRESSION ? "}" : "}}", to);
	}
	putc(']', to);
}

static void print(const void *arg, FILE *to)
{
	const struct px_sbom *s = arg;

	fputs("{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.5\", "
	      "\"version\": 1,\n\"metadata\": {\"tools\": {\"components\": ["
	      "{\"type\": \"application\", \"name\": \"pycfs\", "
	      "\"version\": \"" PX_VERSION "\"}]}},\n\"components\": [",
	      to);
	for (size_t i = 0; i < s->n; i++) {
		const struct px_sbom_part *p = &s->parts[i];

		fputs(i ? ",\n {\"type\": \"library\", \"bom-ref\": "
			: "\n {\"type\": \"library\", \"bom-ref\": ",
		      to);
		px_json_string(to, p->purl);
		fputs(", \"name\": ", to);
		px_json_string(to, p->name);
		if (*p->version) {
			fputs(", \"version\": ", to);
			px_json_string(to, p->version);
		}
		fputs(", \"purl\": ", to);
		px_json_string(to, p->purl);
		print_licences(p, to);
		putc('}', to);
	}
	fputs("]}\n", to);
}

int px_sbom_make_file(struct px_temp *t, const char *path,
		      const struct px_sbom *s, struct px_why *why)
{
	return px_written_make(t, path, print, s, why);
}
