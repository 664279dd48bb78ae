/* SPDX-License-Identifier: MIT */
#include "pycfs/cmd.h"
#include "pycfs/fuse.h"

#include <stdio.h>

static void print_json(const char *mountpoint, const uint64_t *counters)
{
	int i;

	printf("{\"version\": 1, \"mountpoint\": ");
	px_cmd_json_string(mountpoint);
	printf(", \"counters\": {");
	for (i = 0; i < PX_N_COUNTERS; i++)
		printf("%s\"%s\": %llu", i ? ", " : "",
		       px_counter_name((enum px_counter)i),
		       (unsigned long long)counters[i]);
	puts("}}");
}

int px_cmd_report(struct px_opt *o)
{
	uint64_t counters[PX_N_COUNTERS];
	struct px_why why;
	int r, i;

	r = px_fuse_query(o->args[0], counters);
	if (r == -ENOTTY)
		px_because(&why, r, "%s is no mount of this version of pycfs",
			   o->args[0]);
	else if (r < 0)
		px_because(&why, r, "%s: %s", o->args[0], strerror(-r));
	if (r < 0)
		return px_cmd_fail(PX_EXIT_FAILED, &why);
	if (o->json) {
		print_json(o->args[0], counters);
		return 0;
	}
	for (i = 0; i < PX_N_COUNTERS; i++)
		printf("%14llu  %s\n", (unsigned long long)counters[i],
		       px_counter_help((enum px_counter)i));
	return 0;
}
