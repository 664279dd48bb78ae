/* SPDX-License-Identifier: MIT */
#ifndef PX_STATS_H
#define PX_STATS_H
/*
 * Counters of a daemon, for events that are too frequent to log. One table
 * gives each counter its name and its description; the tests, `pycfs report
 * MOUNTPOINT` and the JSON output all use it.
 *
 * Threads: any. Counters are relaxed atomics, so values read one after the
 * other need not be from the same moment. No function here blocks.
 */

#include "pycfs/util.h"

#include <stdatomic.h>

/* X(name, description of what is counted) */
#define PX_COUNTERS(X)                                                      \
	X(compiled, "modules compiled by a worker, refused ones too")       \
	X(compiled_bytes, "bytes of source compiled")                       \
	X(rejected, "modules that the compiler refused")                    \
	X(plain,                                                            \
	  "modules left in CPython's own bytes, with no canonical form")    \
	X(timeouts, "modules given up after the deadline")                  \
	X(crashes, "workers that died while compiling")                     \
	X(spawned, "workers started")                                       \
	X(ahead, "modules compiled before anybody asked")                   \
	X(joined, "requests that waited for a compile already under way")   \
	X(stat_hits, "modules found by their file's fingerprint")           \
	X(blob_hits, "modules found by their content")                      \
	X(seeded, "modules found in the cache of --cache-from")             \
	X(source_reads, "source files read and hashed")                     \
	X(cache_stored, "modules written to the cache")                     \
	X(cache_damaged, "cached modules found damaged and dropped")        \
	X(cache_errors, "cache operations that failed")                     \
	X(cache_evicted, "cached modules evicted to stay within the bound") \
	X(remote_asked, "chunks that the remote store was asked for")       \
	X(remote_hits, "chunks that it had")                                \
	X(remote_missed, "chunks that it did not have")                     \
	X(remote_modules, "modules that came from it")                      \
	X(remote_bytes, "bytes that came from it")                          \
	X(remote_refused, "objects of it that were refused")                \
	X(remote_errors, "questions that it did not answer")                \
	X(remote_waits, "modules that waited for it in vain")               \
	X(remote_pushed, "chunks stored there")                             \
	X(remote_unpushed, "chunks that could not be stored there")         \
	X(lookups, "LOOKUP requests")                                       \
	X(getattrs, "GETATTR requests")                                     \
	X(opens, "OPEN requests")                                           \
	X(reads, "READ requests")                                           \
	X(pushed, "files given to the kernel before it asked")              \
	X(readdirs, "READDIR and READDIRPLUS requests")

enum px_counter {
#define PX_COUNTER_ENUM(name, help) PX_COUNT_##name,
	PX_COUNTERS(PX_COUNTER_ENUM)
#undef PX_COUNTER_ENUM
	PX_N_COUNTERS
};

struct px_stats {
	_Atomic uint64_t value[PX_N_COUNTERS];
};

static inline void px_stats_add(struct px_stats *s, enum px_counter c,
				uint64_t n)
{
	atomic_fetch_add_explicit(&s->value[c], n, memory_order_relaxed);
}

static inline uint64_t px_stats_get(const struct px_stats *s, enum px_counter c)
{
	return atomic_load_explicit(&s->value[c], memory_order_relaxed);
}

const char *px_counter_name(enum px_counter c);
const char *px_counter_help(enum px_counter c);

#endif
