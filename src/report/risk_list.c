/* SPDX-License-Identifier: MIT */
/*
 * The list of risks, and the strings that it has for itself.
 */
#include "report_i.h"

int px_report_add_risk(struct px_report *r, size_t file,
		       const struct px_report_risk *risk)
{
	struct px_report_risk *all = r->risks;
	struct px_report_file *f;

	/* Room for 64, and then always for a power of two. */
	if (r->n_risks == 0 ||
	    (r->n_risks >= 64 && (r->n_risks & (r->n_risks - 1)) == 0)) {
		const size_t room = r->n_risks < 64 ? 64 : 2 * r->n_risks;

		all = reallocarray(all, room, sizeof(*all));
		if (!all)
			return -ENOMEM;
		r->risks = all;
	}
	all[r->n_risks++] = *risk;
	if (file == PX_NO_FILE)
		return 0;
	f = &r->files[file];
	if (risk->grade > f->risk)
		f->risk = risk->grade;
	if (f->risk > r->dists[f->dist].risk)
		r->dists[f->dist].risk = f->risk;
	return 0;
}

const char *px_report_own(struct px_report *r, char *text)
{
	char **texts = r->texts;

	if (!text)
		return NULL;
	if (r->n_texts == 0 || (r->n_texts & (r->n_texts - 1)) == 0)
		texts = reallocarray(texts, r->n_texts ? 2 * r->n_texts : 1,
				     sizeof(*texts));
	if (!texts) {
		free(text);
		return NULL;
	}
	r->texts = texts;
	return texts[r->n_texts++] = text;
}
