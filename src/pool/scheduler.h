/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_SCHEDULER_H
#define PX_POOL_SCHEDULER_H

/* The pool's thread; `arg` is the pool. */
void *px_pool_main(void *arg);

#endif
