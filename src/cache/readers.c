/* SPDX-License-Identifier: MIT */
#include "readers.h"

#include "mdb.h"

/* One is used up by opening the tables: committing it frees it. */
#define N_READERS 9

struct px_readers {
	pthread_mutex_t lock;
	/* One was put back, or `begun` was set; CLOCK_MONOTONIC. */
	pthread_cond_t changed;
	MDB_env *env;
	/* under lock: */
	MDB_txn *all[N_READERS];
	bool busy[N_READERS]; /* taken */
	size_t n;
	bool begun; /* all that can be had, or none and `err` */
	int err;    /* LMDB's code */
};

/* Runs in a thread of its own, which may block here for ever. */
static void *begin_all(void *arg)
{
	struct px_readers *rs = arg;
	MDB_txn *txn[N_READERS];
	int dead = 0, rc = 0;
	size_t n = 0;

	while (n < N_READERS &&
	       (rc = mdb_txn_begin(rs->env, NULL, MDB_RDONLY, &txn[n])) == 0)
		mdb_txn_reset(txn[n++]);
	/* Frees the slots of processes that were killed: as long as a slot is
	 * taken, LMDB does not use the pages again that its reader might see.
	 */
	if (n > 0)
		mdb_reader_check(rs->env, &dead);
	pthread_mutex_lock(&rs->lock);
	memcpy(rs->all, txn, n * sizeof(txn[0]));
	rs->n = n;
	/* Where many processes use the cache there may be fewer free slots. Two
	 * are enough: one to open the tables, one to read. */
	rs->err = n < 2 ? rc : 0;
	rs->begun = true;
	pthread_cond_signal(&rs->changed);
	pthread_mutex_unlock(&rs->lock);
	return NULL;
}

/* -ETIMEDOUT: the thread is blocked, and what it uses must not be freed. */
static int wait_begun(struct px_readers *rs, unsigned give_up_ms)
{
	const int64_t until = px_now_ms() + give_up_ms;
	const struct timespec ts = {until / 1000, until % 1000 * 1000000};
	int rc = 0;

	pthread_mutex_lock(&rs->lock);
	while (!rs->begun && rc == 0)
		rc = pthread_cond_timedwait(&rs->changed, &rs->lock, &ts);
	if (rs->begun)
		rc = rs->err;
	pthread_mutex_unlock(&rs->lock);
	return px_lmdb_err(rc);
}

int px_readers_open(MDB_env *env, unsigned give_up_ms, struct px_readers **ret)
{
	struct px_readers *rs = calloc(1, sizeof(*rs));
	pthread_condattr_t attr;
	pthread_t thread;
	int r;

	if (!rs)
		return -ENOMEM;
	rs->env = env;
	pthread_mutex_init(&rs->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&rs->changed, &attr);
	pthread_condattr_destroy(&attr);
	r = px_thread_start(&thread, begin_all, rs);
	if (r < 0) {
		rs->begun = true;
		px_readers_close(rs);
		return r;
	}
	*ret = rs;
	r = wait_begun(rs, give_up_ms);
	if (r == -ETIMEDOUT)
		pthread_detach(thread);
	else
		pthread_join(thread, NULL);
	return r;
}

bool px_readers_close(struct px_readers *rs)
{
	bool begun;

	if (!rs)
		return true;
	pthread_mutex_lock(&rs->lock);
	begun = rs->begun;
	pthread_mutex_unlock(&rs->lock);
	if (!begun)
		return false;
	for (size_t i = 0; i < rs->n; i++)
		mdb_txn_abort(rs->all[i]);
	pthread_cond_destroy(&rs->changed);
	pthread_mutex_destroy(&rs->lock);
	free(rs);
	return true;
}

int px_readers_take(struct px_readers *rs, MDB_txn **ret)
{
	size_t i = 0;
	int rc;

	pthread_mutex_lock(&rs->lock);
	for (;; pthread_cond_wait(&rs->changed, &rs->lock)) {
		for (i = 0; i < rs->n && rs->busy[i]; i++)
			;
		if (i < rs->n)
			break;
	}
	rs->busy[i] = true;
	*ret = rs->all[i];
	pthread_mutex_unlock(&rs->lock);
	rc = mdb_txn_renew(*ret);
	if (rc)
		px_readers_put(rs, *ret);
	return rc;
}

/* Under lock. */
static size_t find(const struct px_readers *rs, const MDB_txn *txn)
{
	size_t i;

	for (i = 0; i < rs->n && rs->all[i] != txn; i++)
		;
	return i;
}

bool px_readers_put(struct px_readers *rs, MDB_txn *txn)
{
	size_t i;

	pthread_mutex_lock(&rs->lock);
	i = find(rs, txn);
	if (i < rs->n) {
		mdb_txn_reset(txn);
		rs->busy[i] = false;
		pthread_cond_signal(&rs->changed);
	}
	pthread_mutex_unlock(&rs->lock);
	return i < rs->n;
}

void px_readers_remove(struct px_readers *rs, const MDB_txn *txn)
{
	size_t i;

	pthread_mutex_lock(&rs->lock);
	i = find(rs, txn);
	if (i < rs->n) {
		rs->n--;
		rs->all[i] = rs->all[rs->n];
		rs->busy[i] = rs->busy[rs->n];
	}
	pthread_mutex_unlock(&rs->lock);
}
