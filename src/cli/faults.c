/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include "pycfs/json.h"
#include "pycfs/log.h"

void px_faults_print_json(const struct px_export_fault *f, FILE *to)
{
	const char *comma = "";

	fputs(", \"faults\": [", to);
	for (; f; f = f->next, comma = ", ") {
		char *message =
			strndup((const char *)f->why->data, f->why->size);

		fprintf(to, "%s{\"path\": ", comma);
		px_json_string(to, f->path);
		fprintf(to, ", \"line\": %u, \"column\": %u, \"message\": ",
			f->why->line, f->why->column);
		px_json_string(to, message ? message : "");
		putc('}', to);
		free(message);
	}
	putc(']', to);
}

void px_faults_tell(const struct px_export_fault *f)
{
	char where[48];

	for (; f; f = f->next) {
		*where = '\0';
		if (f->why->line > 0 && f->why->column > 0)
			snprintf(where, sizeof(where), ":%u:%u", f->why->line,
				 f->why->column);
		else if (f->why->line > 0)
			snprintf(where, sizeof(where), ":%u", f->why->line);
		px_log(PX_LOG_ERROR, "%s%s: %.*s", f->path, where,
		       px_blob_shown(f->why), (const char *)f->why->data);
	}
}
