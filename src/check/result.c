/* SPDX-License-Identifier: MIT */
#include "result.h"

static char *text_of(const char *s)
{
	return strdup(s ? s : "");
}

int px_result_add(struct px_check_result *r, const struct px_finding *f)
{
	struct px_finding *all =
		reallocarray(r->findings, r->n_findings + 1, sizeof(*all));
	struct px_finding *new;

	if (!all)
		return -ENOMEM;
	r->findings = all;
	new = &all[r->n_findings++];
	*new = *f;
	new->name = text_of(f->name);
	new->owner = text_of(f->owner);
	new->type = text_of(f->type);
	new->text = text_of(f->text);
	new->file = text_of(f->file);
	new->function = text_of(f->function);
	new->frames = text_of(f->frames);
	return new->name &&new->owner &&new->type &&new->text &&new->file &&new
			       ->function &&new->frames
		       ? 0
		       : -ENOMEM;
}

void px_check_result_fini(struct px_check_result *r)
{
	size_t i;

	for (i = 0; i < r->n_findings; i++) {
		free(r->findings[i].name);
		free(r->findings[i].owner);
		free(r->findings[i].type);
		free(r->findings[i].text);
		free(r->findings[i].file);
		free(r->findings[i].function);
		free(r->findings[i].frames);
	}
	free(r->findings);
	for (i = 0; i < r->n_missing; i++)
		free(r->missing[i]);
	free(r->missing);
	for (int side = 0; side < PX_N_SIDES; side++)
		free(r->output[side]);
}
