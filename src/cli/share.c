/* SPDX-License-Identifier: MIT */
#include "share.h"

#include "opt_value.h"

#include "pycfs/child.h"
#include "pycfs/engine.h"
#include "pycfs/json.h"
#include "pycfs/log.h"
#include "pycfs/term.h"

#include <signal.h>
#include <stdio.h>

typedef unsigned long long ull;

int px_share_printed(int status)
{
	if (fflush(stdout) == 0)
		return status;
	px_log_errno(-errno, "stdout");
	return PX_EXIT_FAILED;
}

int px_share_keygen(struct px_opt *o)
{
	char text[PX_SIGNER_TEXT_SIZE];
	struct px_signer key;
	struct px_why why;
	int r = px_secret_make(o->args[1], o->args[2], &key, &why);

	if (r < 0)
		return px_fail(r == -EINVAL ? PX_EXIT_USAGE : PX_EXIT_FAILED,
			       &why);
	px_signer_text(&key, text);
	puts(text);
	if (px_share_printed(0) != 0) {
		unlink(o->args[2]); /* nobody knows the key to trust */
		return PX_EXIT_FAILED;
	}
	px_log(PX_LOG_NOTICE,
	       "%s has the key that signs: keep it where only trusted builds "
	       "can read it; --remote-trust of all others has the line above",
	       o->args[2]);
	return 0;
}

struct job {
	const struct px_opt *o;
	const char *source;
	bool pushes;
};

static uint64_t get(const struct px_engine *e, enum px_counter c)
{
	return px_stats_get(&e->stats, c);
}

static void tell_json(const struct px_engine *e)
{
	printf("{\"version\": 1, \"asked\": %llu, \"hits\": %llu, "
	       "\"missed\": %llu, \"modules\": %llu, \"bytes\": %llu, "
	       "\"refused\": %llu, \"errors\": %llu, \"compiled\": %llu, "
	       "\"pushed\": %llu, \"unpushed\": %llu}\n",
	       (ull)get(e, PX_COUNT_remote_asked),
	       (ull)get(e, PX_COUNT_remote_hits),
	       (ull)get(e, PX_COUNT_remote_missed),
	       (ull)get(e, PX_COUNT_remote_modules),
	       (ull)get(e, PX_COUNT_remote_bytes),
	       (ull)get(e, PX_COUNT_remote_refused),
	       (ull)get(e, PX_COUNT_remote_errors),
	       (ull)get(e, PX_COUNT_compiled),
	       (ull)get(e, PX_COUNT_remote_pushed),
	       (ull)get(e, PX_COUNT_remote_unpushed));
}

static void tell(const struct px_engine *e, const struct job *job)
{
	const ull compiled = get(e, PX_COUNT_compiled);
	char remote[256];

	if (job->o->json) {
		tell_json(e);
		return;
	}
	px_engine_tell_remote(e, remote, sizeof(remote));
	px_log(PX_LOG_NOTICE, "%s: %llu module%s compiled%s", job->source,
	       compiled, PX_S(compiled), remote);
}

/* What was asked for and did not succeed. */
static int judge(const struct px_engine *e, const struct job *job,
		 struct px_why *why)
{
	const uint64_t unpushed = get(e, PX_COUNT_remote_unpushed);

	if (!job->pushes &&
	    get(e, PX_COUNT_remote_refused) + get(e, PX_COUNT_remote_errors) >
		    0)
		return px_because(why, -EIO,
				  "the store did not answer as it should");
	if (job->pushes && unpushed > 0)
		return px_because(why, -EIO,
				  "%llu chunk%s not stored: what %s "
				  "is compiled again by everybody",
				  (ull)unpushed,
				  unpushed == 1 ? " is" : "s are",
				  unpushed == 1 ? "it has" : "they have");
	return 0;
}

static int share(struct px_engine *e, const struct job *job, struct px_why *why)
{
	int r = px_engine_ready(e, why);

	if (r < 0)
		return r;
	px_content_pull(e->content);
	if (job->pushes)
		px_content_push(e->content, true);
	px_content_flush(e->content);
	tell(e, job);
	return judge(e, job, why);
}

static int work(void *arg, PX_UNUSED int signal_fd)
{
	const struct job *job = arg;
	const struct px_engine_needs needs = {.immutable = true};
	struct px_engine e = {0};
	struct px_why why;
	sigset_t none;
	int r;

	/* As it is for `cache verify`: a signal ends this process at once. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	r = px_engine_start(&e, job->o, job->source, &needs, &why);
	if (r == 0)
		r = share(&e, job, &why);
	if (r < 0 && r != -EADDRINUSE)
		px_fail(0, &why);
	px_engine_quiet(&e);
	px_engine_stop(&e);
	return r == -EADDRINUSE ? PX_EXIT_PID_TAKEN
				: px_share_printed(r < 0 ? PX_EXIT_FAILED : 0);
}

static int run(struct px_opt *o, bool pushes)
{
	struct job job = {.o = o, .pushes = pushes};
	struct px_why why;

	if (!o->remote || (pushes && !o->secret)) {
		px_because(&why, 0, "pycfs cache %s needs --remote URL and %s",
			   pushes ? "push" : "pull",
			   pushes ? "--remote-sign FILE"
				  : "--remote-trust NAME:KEY");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if (px_opt_check_remote(o, &why) < 0)
		return px_fail(PX_EXIT_USAGE, &why);
	/* The word `push` or `pull` is not SOURCE. */
	o->args++;
	o->n_args--;
	if (px_choose_source(o, &why) < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	job.source = o->args[0];
	return px_run_in_child(work, &job, "nothing is lost by that");
}

int px_share_push(struct px_opt *o)
{
	return run(o, true);
}

int px_share_pull(struct px_opt *o)
{
	return run(o, false);
}
