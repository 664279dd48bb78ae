/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include "pycfs/path.h"
#include "pycfs/term.h"

#include <stdio.h>

#define PROGRESS_MS 100 /* how often it is shown */

typedef unsigned long long ull;

void px_progress_begin(struct px_progress *p, bool quiet,
		       const struct px_stats *stats)
{
	*p = (struct px_progress){
		.shows = isatty(STDERR_FILENO) && !quiet,
		.started = px_now_ms(),
		.stats = stats,
	};
}

/* ------------------------------------------------------------- counting */

/* Adds the files of directory `dir` and below it. What cannot be listed is not
 * counted: whoever needs it fails, and says why. */
static void count_dir(struct px_progress *p, const char *dir, enum px_kind kind,
		      uint64_t *files)
{
	struct px_fingerprint fp;
	struct px_view *v;
	bool stable;

	if (px_content_view(p->content, dir, kind, &v, &fp, &stable) < 0)
		return;
	for (size_t i = 0; i < px_view_count(v) && !p->stop; i++) {
		const struct px_entry *e = px_view_at(v, i);
		PX_AUTOFREE char *below = NULL;

		if (e->kind != PX_KIND_DIR && e->kind != PX_KIND_PYCACHE) {
			*files += e->kind != PX_KIND_LINK;
			continue;
		}
		/* That of a __pycache__ is the directory's own. */
		below = *e->source ? px_path_join(dir, e->source) : strdup(dir);
		if (below)
			count_dir(p, below, e->kind, files);
	}
	px_view_unref(v);
}

static void *count(void *arg)
{
	struct px_progress *p = arg;
	uint64_t files = 0;

	count_dir(p, "", PX_KIND_DIR, &files);
	if (!p->stop)
		p->total = files;
	return NULL;
}

void px_progress_count(struct px_progress *p, struct px_content *c)
{
	p->content = c;
	/* Without the thread the line says less. */
	p->has_thread = p->shows && !p->has_thread &&
			px_thread_start(&p->thread, count, p) == 0;
}

/* -------------------------------------------------------------- showing */

bool px_progress_due(struct px_progress *p)
{
	const int64_t now = px_now_ms();

	if (now - p->shown < PROGRESS_MS)
		return false;
	p->shown = now;
	return true;
}

double px_progress_seconds(const struct px_progress *p)
{
	return (double)(px_now_ms() - p->started) / 1000;
}

uint64_t px_progress_cached(const struct px_progress *p, uint64_t modules)
{
	const uint64_t compiled = px_stats_get(p->stats, PX_COUNT_compiled);

	/* Some may be compiled that are not done. */
	return modules > compiled ? modules - compiled : 0;
}

void px_progress_show(const struct px_progress *p, uint64_t files,
		      uint64_t bytes, uint64_t modules)
{
	const uint64_t total = p->total;
	char size[16];

	if (!p->shows)
		return;
	fprintf(stderr, "\r%llu", (ull)files);
	/* A source that changes meanwhile has more than were counted. */
	if (total > 0 && files <= total)
		fprintf(stderr, " of %llu file%s (%llu %%)", (ull)total,
			PX_S(total), (ull)(files * 100 / total));
	else
		fprintf(stderr, " file%s", PX_S(files));
	if (bytes != PX_PROGRESS_FILES)
		fprintf(stderr, ", %s, %llu from the cache",
			px_human(bytes, size),
			(ull)px_progress_cached(p, modules));
	fprintf(stderr, ", %llu compiled\033[K",
		(ull)px_stats_get(p->stats, PX_COUNT_compiled));
}

void px_progress_end(struct px_progress *p)
{
	if (p->has_thread) {
		p->stop = true;
		pthread_join(p->thread, NULL);
		p->has_thread = false;
	}
	if (p->shows)
		fputs("\r\033[K", stderr);
}
