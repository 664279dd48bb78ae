/* SPDX-License-Identifier: MIT */
#include "pycfs/remote.h"

#include "depot.h"

#include "pycfs/log.h"

#define MAX_FAILED  3	  /* in a row, before the breaker opens */
#define FIRST_PAUSE 60000 /* ms */
#define LAST_PAUSE  900000
#define PATIENCE    100 /* ms, for threads that end */
/* Bytes of objects that wait to be stored: whoever makes more waits. */
#define MAX_QUEUED (32u << 20)

/* One question, or one object to be stored. It owns all that its thread needs,
 * so that a thread that hangs can be left behind. */
struct question {
	struct question *next;
	bool being_told, given_up; /* under lock */
	px_remote_done done;
	void *arg;
	struct px_buf object; /* to be stored; without data: it is a question */
	uint8_t name[PX_DIGEST_SIZE]; /* of that */
	size_t n;
	px_chunk_key keys[];
};

struct px_remote {
	struct px_remote_options o;
	struct px_depot *depot;
	char *url;
	/* Copies: a thread that was left behind still looks at them. */
	struct px_signer *trust;
	uint8_t id[PX_SIGNER_ID_SIZE]; /* of who signs */
	bool keeps;		       /* whoever signs marks what is used */

	pthread_mutex_t lock;
	pthread_cond_t changed;	       /* any of what follows */
	struct question *first, **end; /* under lock, as all that follows */
	struct question *running;      /* taken by a thread, or being told */
	bool stop;
	bool left_behind;   /* threads that hang in the store */
	unsigned n_threads; /* that have not ended */
	unsigned next_slot; /* of the depot's, one for each thread */
	unsigned n_failed;  /* in a row */
	bool open;	    /* the breaker: nothing gets through */
	int64_t until;	    /* px_now_ms at which it closes; INT64_MAX: never */
	int64_t pause;	    /* ms, when it opens next */
	bool warned, warned_put;
	size_t n_puts;	     /* objects queued, or being stored */
	size_t queued_bytes; /* of them */
	int64_t finish_by;   /* px_now_ms; 0: nothing was to be stored yet */
};

int px_remote_check_url(const char *url, struct px_why *why)
{
	return px_depot_check_url(url, why);
}

static void count(struct px_remote *r, enum px_counter c, uint64_t n)
{
	px_stats_add(r->o.stats, c, n);
}

/* ---------------------------------------------------------------- breaker */

/* Under lock. */
static bool lets_through(struct px_remote *r)
{
	if (r->open && px_now_ms() >= r->until) {
		r->open = false;
		r->n_failed = MAX_FAILED - 1; /* one more opens it again */
	}
	return !r->open;
}

/* Under lock. */
static void open_breaker(struct px_remote *r)
{
	r->open = true;
	r->until = r->o.retries ? px_now_ms() + r->pause : INT64_MAX;
	r->pause = r->pause * 2 < LAST_PAUSE ? r->pause * 2 : LAST_PAUSE;
}

bool px_remote_answers(struct px_remote *r)
{
	bool answers;

	pthread_mutex_lock(&r->lock);
	answers = !r->stop && lets_through(r);
	pthread_mutex_unlock(&r->lock);
	return answers;
}

static const char *what_is_wrong(int err, const struct px_why *why)
{
	if (*why->text)
		return why->text;
	switch (err) {
	case -EKEYREJECTED:
		return "an object is not what its signer made; if nobody "
		       "meddled with the store, delete it there";
	case -EBADMSG:
		return "what is in the place of an object is none";
	case -EFBIG:
		return "an object is larger than any that pycfs makes";
	case -ENODEV:
		return "there is no such directory; pycfs cache push makes it";
	default:
		return strerror(-err);
	}
}

/* Whether it would be said again whenever it is asked. */
static bool is_final(int err)
{
	switch (err) {
	case -EKEYREJECTED:
	case -EBADMSG:
	case -ENODEV:
	case -EACCES:
	case -EPROTO:
	case -EHOSTUNREACH:
	case -ELIBACC:
		return true;
	default:
		return false;
	}
}

/* Under lock: what an answer says of the store. Returns whether to warn. */
static bool judge(struct px_remote *r, int err)
{
	bool warn;

	if (err == 0 || err == -ENOENT) {
		r->n_failed = 0;
		r->pause = FIRST_PAUSE;
		return false;
	}
	r->n_failed++;
	if (is_final(err) || r->n_failed >= MAX_FAILED)
		open_breaker(r);
	warn = r->open && !r->warned;
	r->warned |= warn;
	return warn;
}

/* --------------------------------------------------------------- fetching */

/* Asks for the chunk under each signer's key, until one has it. -ENOENT: none.
 */
static int fetch(struct px_remote *r, unsigned slot, const struct question *q,
		 struct px_blob **blobs, const struct px_signer **ret_by,
		 uint64_t *ret_bytes, struct px_why *why)
{
	uint8_t name[PX_DIGEST_SIZE];
	int err = -ENOENT;

	px_chunk_name(q->keys, q->n, name);
	for (size_t i = 0; i < r->o.n_trust && err == -ENOENT; i++) {
		PX_AUTO(px_buf_fini)
		struct px_buf b = {.max = PX_CHUNK_OBJECT_MAX};

		err = px_depot_get(r->depot, slot, r->trust[i].id, name,
				   r->keeps, &b, why);
		if (err == 0)
			err = px_chunk_decode(&r->trust[i], q->keys, q->n,
					      b.data, b.size, blobs);
		/* Whoever stores things makes the place for them. */
		if (err == -ENODEV && r->keeps)
			err = -ENOENT;
		*ret_by = &r->trust[i];
		*ret_bytes = b.size;
	}
	return err;
}

static void count_answer(struct px_remote *r, int err, size_t n, uint64_t bytes)
{
	if (err == 0) {
		count(r, PX_COUNT_remote_hits, 1);
		count(r, PX_COUNT_remote_modules, n);
		count(r, PX_COUNT_remote_bytes, bytes);
	} else if (err == -ENOENT) {
		count(r, PX_COUNT_remote_missed, 1);
	} else if (err == -EKEYREJECTED || err == -EBADMSG) {
		count(r, PX_COUNT_remote_refused, 1);
	} else {
		count(r, PX_COUNT_remote_errors, 1);
	}
}

/* Waits for a question, and takes it. NULL: stop. */
static struct question *take(struct px_remote *r)
{
	struct question *q;

	pthread_mutex_lock(&r->lock);
	while (!r->stop && !r->first)
		pthread_cond_wait(&r->changed, &r->lock);
	q = r->first;
	if (q) {
		r->first = q->next;
		if (!r->first)
			r->end = &r->first;
		q->next = r->running;
		r->running = q;
	}
	pthread_mutex_unlock(&r->lock);
	return q;
}

/* Under lock. */
static void remove_running(struct px_remote *r, const struct question *q)
{
	struct question **p = &r->running;

	while (*p != q)
		p = &(*p)->next;
	*p = q->next;
	pthread_cond_broadcast(&r->changed);
}

/* What was found is told, unless whoever asked was told already that nobody
 * looks any more. */
static void tell(struct px_remote *r, struct question *q, int err,
		 struct px_blob **blobs, const struct px_signer *by,
		 uint64_t bytes, const struct px_why *said)
{
	bool warn = false;

	pthread_mutex_lock(&r->lock);
	q->being_told = !q->given_up;
	if (q->being_told)
		warn = judge(r, err);
	pthread_mutex_unlock(&r->lock);
	if (!q->being_told)
		return;
	if (warn)
		px_log(PX_LOG_WARNING, "%s: %s; going on without it", r->url,
		       what_is_wrong(err, said));
	count_answer(r, err, q->n, bytes);
	q->done(q->arg, err == 0 ? 0 : -ENOENT, err == 0 ? blobs : NULL, by);
	pthread_mutex_lock(&r->lock);
	remove_running(r, q);
	pthread_mutex_unlock(&r->lock);
}

static void answer(struct px_remote *r, unsigned slot, struct question *q)
{
	struct px_blob *blobs[PX_CHUNK_MODULES] = {NULL};
	const struct px_signer *by = NULL;
	struct px_why why = {""};
	uint64_t bytes = 0;
	int err = fetch(r, slot, q, blobs, &by, &bytes, &why);

	tell(r, q, err, blobs, by, bytes, &why);
	for (size_t i = 0; i < q->n; i++)
		px_blob_unref(blobs[i]);
}

/* ---------------------------------------------------------------- storing */

static void store(struct px_remote *r, unsigned slot, struct question *q)
{
	struct px_why why = {""};
	const int err = px_depot_put(r->depot, slot, r->id, q->name,
				     q->object.data, q->object.size, &why);
	bool warn = false, counts;

	pthread_mutex_lock(&r->lock);
	counts = !q->given_up;
	if (counts) {
		/* Before px_remote_finish sees that it is done. */
		count(r,
		      err < 0 ? PX_COUNT_remote_unpushed
			      : PX_COUNT_remote_pushed,
		      1);
		remove_running(r, q);
		r->n_puts--;
		r->queued_bytes -= q->object.size;
		warn = err < 0 && !r->warned_put;
		r->warned_put |= warn;
	}
	pthread_mutex_unlock(&r->lock);
	if (warn)
		px_log(PX_LOG_WARNING, "%s: cannot store there: %s", r->url,
		       *why.text ? why.text : strerror(-err));
}

static void destroy(struct px_remote *r)
{
	px_depot_close(r->depot);
	free(r->trust);
	free(r->url);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->changed);
	free(r);
}

static void *fetch_main(void *arg)
{
	struct px_remote *r = arg;
	struct question *q;
	unsigned slot;

	pthread_mutex_lock(&r->lock);
	slot = r->next_slot++;
	pthread_mutex_unlock(&r->lock);
	while ((q = take(r))) {
		if (q->object.size > 0)
			store(r, slot, q);
		else
			answer(r, slot, q);
		px_buf_fini(&q->object);
		free(q);
	}
	pthread_mutex_lock(&r->lock);
	r->n_threads--;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* ----------------------------------------------------------------- public */

static int start_threads(struct px_remote *r)
{
	pthread_t thread;
	int err = 0;

	for (unsigned i = 0; i < px_depot_slots(r->depot) && err == 0; i++) {
		err = px_thread_start(&thread, fetch_main, r);
		if (err == 0) {
			pthread_detach(thread);
			r->n_threads++;
		}
	}
	return r->n_threads > 0 ? 0 : err;
}

int px_remote_open(const struct px_remote_options *o, struct px_remote **ret,
		   struct px_why *why)
{
	struct px_remote *r;
	int err = px_depot_check_url(o->url, why);

	if (err < 0)
		return err;
	r = calloc(1, sizeof(*r));
	if (!r)
		return px_because(why, -ENOMEM, "out of memory");
	r->o = *o;
	r->pause = FIRST_PAUSE;
	r->end = &r->first;
	r->keeps = o->sign != NULL;
	if (o->sign)
		memcpy(r->id, o->sign->signer.id, sizeof(r->id));
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->url = strdup(o->url);
	r->trust = calloc(o->n_trust, sizeof(*r->trust));
	err = r->url && r->trust ? px_depot_open(o->url, &r->depot) : -ENOMEM;
	if (err < 0) {
		destroy(r);
		return px_because(why, err, "%s: %s", o->url, strerror(-err));
	}
	memcpy(r->trust, o->trust, o->n_trust * sizeof(*r->trust));
	*ret = r;
	return 0;
}

/* Under lock: puts `q` into the queue. */
static int enqueue(struct px_remote *r, struct question *q)
{
	const int err = r->n_threads == 0 ? start_threads(r) : 0;

	if (err < 0)
		return err;
	*r->end = q;
	r->end = &q->next;
	pthread_cond_broadcast(&r->changed);
	return 0;
}

int px_remote_ask(struct px_remote *r, const px_chunk_key *keys, size_t n,
		  px_remote_done done, void *arg)
{
	struct question *q = calloc(1, sizeof(*q) + n * sizeof(q->keys[0]));
	int err;

	if (!q)
		return -ENOMEM;
	q->done = done;
	q->arg = arg;
	q->n = n;
	memcpy(q->keys, keys, n * sizeof(q->keys[0]));
	pthread_mutex_lock(&r->lock);
	err = r->stop || !lets_through(r) ? -EHOSTDOWN : enqueue(r, q);
	pthread_mutex_unlock(&r->lock);
	if (err < 0)
		free(q);
	else
		count(r, PX_COUNT_remote_asked, 1);
	return err;
}

/* Under lock: waits until px_now_ms is `by`, or something has changed. False:
 * it is later than that. */
static bool wait_until(struct px_remote *r, int64_t by)
{
	const int64_t left = by - px_now_ms();
	struct timespec end;

	if (left <= 0)
		return false;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += left / 1000;
	end.tv_nsec += left % 1000 * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	pthread_cond_timedwait(&r->changed, &r->lock, &end);
	return true;
}

/* Queues an object once there is room. -ETIMEDOUT. */
static int enqueue_object(struct px_remote *r, struct question *q)
{
	int err = 0;

	pthread_mutex_lock(&r->lock);
	if (r->finish_by == 0)
		r->finish_by = px_now_ms() + r->o.finish_ms;
	while (err == 0 && r->n_puts > 0 &&
	       r->queued_bytes + q->object.size > MAX_QUEUED)
		if (!wait_until(r, r->finish_by))
			err = -ETIMEDOUT;
	if (err == 0)
		err = r->stop ? -ECANCELED : enqueue(r, q);
	if (err == 0) {
		r->n_puts++;
		r->queued_bytes += q->object.size;
	}
	pthread_mutex_unlock(&r->lock);
	return err;
}

int px_remote_put(struct px_remote *r, const px_chunk_key *keys,
		  struct px_blob *const *blobs, size_t n)
{
	struct question *q = calloc(1, sizeof(*q));
	int err = q ? px_chunk_encode(r->o.sign, keys, blobs, n, &q->object)
		    : -ENOMEM;

	if (err == 0) {
		px_chunk_name(keys, n, q->name);
		err = enqueue_object(r, q);
	}
	if (err < 0) {
		count(r, PX_COUNT_remote_unpushed, 1);
		if (q)
			px_buf_fini(&q->object);
		free(q);
	}
	return err;
}

/* What is taken from the queue, or from a thread that has not done it yet. */
struct given_up {
	px_remote_done done; /* NULL: an object was to be stored */
	void *arg;
};

/* Under lock: takes the first that is still queued. NULL: there is none. */
static struct question *take_queued(struct px_remote *r, bool only_objects)
{
	struct question **at = &r->first, *q;

	while (*at && only_objects && (*at)->object.size == 0)
		at = &(*at)->next;
	q = *at;
	if (!q)
		return NULL;
	*at = q->next;
	if (!*at)
		r->end = at;
	return q;
}

/* Under lock: takes one from its thread, unless it is being told. NULL: there
 * is none. */
static struct question *take_running(struct px_remote *r, bool only_objects)
{
	struct question *q = r->running;

	while (q && (q->being_told || (only_objects && q->object.size == 0)))
		q = q->next;
	if (!q)
		return NULL;
	q->given_up = true; /* its thread frees it, whenever that may be */
	remove_running(r, q);
	return q;
}

/* Takes one; false: there is no more. */
static bool give_up_one(struct px_remote *r, bool only_objects,
			struct given_up *ret)
{
	struct question *q, *queued;

	pthread_mutex_lock(&r->lock);
	queued = q = take_queued(r, only_objects);
	if (!q)
		q = take_running(r, only_objects);
	if (q)
		*ret = (struct given_up){q->done, q->arg};
	if (q && q->object.size > 0)
		r->n_puts--;
	pthread_mutex_unlock(&r->lock);
	if (queued) {
		px_buf_fini(&queued->object);
		free(queued);
	}
	return q != NULL;
}

static void give_up(struct px_remote *r, bool only_objects)
{
	struct given_up g;

	while (give_up_one(r, only_objects, &g)) {
		if (g.done)
			g.done(g.arg, -ECANCELED, NULL, NULL);
		else
			count(r, PX_COUNT_remote_unpushed, 1);
	}
}

void px_remote_finish(struct px_remote *r)
{
	pthread_mutex_lock(&r->lock);
	while (r->n_puts > 0 && wait_until(r, r->finish_by))
		;
	pthread_mutex_unlock(&r->lock);
	give_up(r, true);
}

static void wait_threads(struct px_remote *r)
{
	const int64_t by = px_now_ms() + PATIENCE;

	pthread_mutex_lock(&r->lock);
	/* What is being told belongs to whoever asked, and does not block. */
	while (r->running)
		pthread_cond_wait(&r->changed, &r->lock);
	while (r->n_threads > 0 && !r->left_behind && wait_until(r, by))
		;
	r->left_behind = r->n_threads > 0;
	pthread_mutex_unlock(&r->lock);
}

void px_remote_stop(struct px_remote *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	give_up(r, false);
	px_depot_cancel(r->depot);
	wait_threads(r);
}

void px_remote_free(struct px_remote *r)
{
	unsigned left;

	if (!r)
		return;
	px_remote_stop(r);
	pthread_mutex_lock(&r->lock);
	left = r->n_threads;
	pthread_mutex_unlock(&r->lock);
	/* A thread that hangs in the store keeps what it looks at. */
	if (left == 0)
		destroy(r);
}
