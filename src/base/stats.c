/* SPDX-License-Identifier: MIT */
#include "pycfs/stats.h"

static const struct {
	const char *name;
	const char *help;
} counters[PX_N_COUNTERS] = {
#define COUNTER(name, help) [PX_COUNT_##name] = {#name, help},
	PX_COUNTERS(COUNTER)
#undef COUNTER
};

const char *px_counter_name(enum px_counter c)
{
	return counters[c].name;
}

const char *px_counter_help(enum px_counter c)
{
	return counters[c].help;
}
