/* SPDX-License-Identifier: MIT */
/*
 * `pycfs cache remote`: whether a store answers, who has shown there that it
 * can sign, and whether this machine can. Whoever signs leaves a chunk of one
 * module that nobody has, always the same.
 */
#include "share.h"

#include "opt_value.h"

#include "pycfs/json.h"
#include "pycfs/remote.h"
#include "pycfs/term.h"

#include <stdio.h>

static const px_chunk_key nobody; /* zeros: no module has this key */

struct probe {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool told; /* under lock */
	int err;
};

struct found {
	bool answers; /* it said something that makes sense */
	bool has;     /* the signer's object */
	bool stored;
};

static void on_answer(void *arg, int err,
		      PX_UNUSED struct px_blob *const *blobs,
		      PX_UNUSED const struct px_signer *by)
{
	struct probe *p = arg;

	pthread_mutex_lock(&p->lock);
	p->told = true;
	p->err = err;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* Asks for the object, and waits for the answer. */
static int ask(struct px_remote *r)
{
	struct probe p = {.told = false};
	int err;

	pthread_mutex_init(&p.lock, NULL);
	pthread_cond_init(&p.changed, NULL);
	err = px_remote_ask(r, &nobody, 1, on_answer, &p);
	pthread_mutex_lock(&p.lock);
	while (err == 0 && !p.told)
		pthread_cond_wait(&p.changed, &p.lock);
	pthread_mutex_unlock(&p.lock);
	pthread_mutex_destroy(&p.lock);
	pthread_cond_destroy(&p.changed);
	return err < 0 ? err : p.err;
}

static int look(const struct px_opt *o, const struct px_signer *signer,
		struct found *ret, struct px_why *why)
{
	const bool signs =
		o->secret && memcmp(o->secret->signer.key, signer->key,
				    sizeof(signer->key)) == 0;
	struct px_stats stats = {0};
	const struct px_remote_options options = {
		.url = o->remote,
		.trust = signer,
		.n_trust = 1,
		.sign = signs ? o->secret : NULL,
		.stats = &stats,
		.finish_ms = 15000,
	};
	struct px_blob *none = NULL;
	struct px_remote *r;
	int err = px_remote_open(&options, &r, why);

	if (err < 0)
		return err;
	if (signs && px_remote_put(r, &nobody, &none, 1) == 0)
		px_remote_finish(r);
	ret->stored = px_stats_get(&stats, PX_COUNT_remote_pushed) > 0;
	ret->has = ask(r) == 0;
	ret->answers =
		ret->has || px_stats_get(&stats, PX_COUNT_remote_missed) > 0;
	px_remote_stop(r);
	px_remote_free(r);
	return 0;
}

static void tell(const struct px_opt *o, const struct px_signer *s,
		 const struct found *f, bool first)
{
	const char *sep = first ? "" : ", ";

	if (!o->json) {
		printf("%s: %s\n", s->name,
		       !f->answers ? "the store does not answer"
		       : f->stored ? "can store, and what it stored is there"
		       : f->has	   ? "has stored here"
				   : "nothing shows that it has stored here");
		return;
	}
	printf("%s{\"signer\": ", sep);
	px_json_string(stdout, s->name);
	printf(", \"answers\": %s, \"has_stored\": %s, \"can_store\": %s}",
	       f->answers ? "true" : "false", f->has ? "true" : "false",
	       f->stored ? "true" : "false");
}

int px_share_probe(struct px_opt *o)
{
	struct px_why why;
	bool fine = true;

	if (!o->remote) {
		px_because(&why, 0,
			   "pycfs cache remote needs --remote URL, and "
			   "--remote-trust NAME:KEY or --remote-sign FILE");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if (px_opt_check_remote(o, &why) < 0)
		return px_fail(PX_EXIT_USAGE, &why);
	if (o->json)
		printf("{\"version\": 1, \"signers\": [");
	for (size_t i = 0; i < o->n_trust; i++) {
		const bool signs =
			o->secret && i == o->n_trust - 1; /* its own is last */
		struct found f = {false, false, false};

		if (look(o, &o->trust[i], &f, &why) < 0)
			return px_fail(PX_EXIT_FAILED, &why);
		tell(o, &o->trust[i], &f, i == 0);
		fine &= f.answers && (!signs || (f.stored && f.has));
	}
	if (o->json)
		puts("]}");
	return px_share_printed(fine ? 0 : PX_EXIT_FAILED);
}
