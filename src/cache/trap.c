/* SPDX-License-Identifier: MIT */
#include "trap.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

/* Neither LMDB's callback nor a signal handler can be handed anything, so this
 * thread's running lookup is kept here. NULL: there is none. */
static _Thread_local jmp_buf *running;

/* The keys that it has compared. A sound tree has 32 levels at most
 * (CURSOR_STACK of mdb.c 0.9.24), and of a page's keys no more than 15 are
 * looked at. */
#define MAX_COMPARED 1024
static _Thread_local unsigned n_compared;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* What was done at SIGSEGV before. Written under lock, before the handler is
 * installed; only read afterwards. */
static struct sigaction before;

static void on_assertion(MDB_env *env, const char *text)
{
	(void)env;
	(void)text;
	if (running)
		longjmp(*running, 1);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (running && info->si_code > 0)
		longjmp(*running, 1);
	/* Not LMDB's. The faulting instruction runs again and raises the signal
	 * for whoever handled it before; one that somebody sent does not. */
	sigaction(sig, &before, NULL);
	if (info->si_code <= 0)
		raise(sig);
}

static int compare(const MDB_val *a, const MDB_val *b)
{
	const size_t n = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
	int c;

	if (running && ++n_compared > MAX_COMPARED)
		longjmp(*running, 1);
	c = memcmp(a->mv_data, b->mv_data, n);
	return c != 0 ? c
		      : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

int px_trap_table(MDB_txn *txn, MDB_dbi dbi)
{
	return mdb_set_compare(txn, dbi, compare);
}

void px_trap_set(MDB_env *env)
{
	/* Not blocked within the handler, which is left without unblocking. */
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction now;

	mdb_env_set_assert(env, on_assertion);
	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&lock);
	if (sigaction(SIGSEGV, NULL, &now) == 0 &&
	    now.sa_sigaction != on_fault) {
		before = now;
		sigaction(SIGSEGV, &action, NULL);
	}
	pthread_mutex_unlock(&lock);
}

int px_trap_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *ret)
{
	jmp_buf here;
	int rc;

	if (setjmp(here)) {
		running = NULL;
		return MDB_CORRUPTED;
	}
	n_compared = 0;
	running = &here;
	rc = mdb_get(txn, dbi, key, ret);
	running = NULL;
	return rc;
}
