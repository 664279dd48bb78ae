/* SPDX-License-Identifier: MIT */
#include "pycfs/verbs.h"
#include "pycfs/term.h"
#include "pycfs/log.h"

#include <fcntl.h>
#include <stdio.h>

static int help(void)
{
	size_t i;

	puts("usage: pycfs VERB [options] ...\n\n"
	     "A site-packages as bytecode: a read-only view in which every .py "
	     "is its .pyc.\n");
	for (i = 0; i < PX_N_VERBS; i++)
		printf("  %-10s%s\n", px_verbs[i].name, px_verbs[i].summary);
	puts("\n'pycfs VERB --help' lists the options; 'pycfs --version' "
	     "prints the version.");
	return 0;
}

static int run_verb(const struct px_verb *verb, bool helper, int argc,
		    char **argv)
{
	struct px_opt o;
	struct px_why why;
	int r = px_opt_parse(&o, verb, helper, argc, argv, &why);

	if (r < 0)
		r = px_fail(PX_EXIT_USAGE, &why);
	else if (o.help)
		px_opt_help(verb);
	else if (!o.fake)
		r = verb->run(&o);
	px_opt_fini(&o);
	return r;
}

/* If a standard descriptor is closed, the next file that is opened would get
 * its number, and messages would be written into that file. /dev/null, opened
 * for reading, takes the free numbers; writing to it is an error, as writing to
 * a closed descriptor is. */
static int guard_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
		if (fd < 0)
			return -errno;
	} while (fd <= 2);
	return close(fd);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0] ? argv[0] : "", '/');
	struct px_why why;
	size_t i;

	if (guard_standard_fds() < 0)
		return PX_EXIT_FAILED;
	px_log_init(PX_LOG_STDERR, PX_LOG_NOTICE);
	name = name ? name + 1 : argv[0];
	if (name && strncmp(name, "mount.", 6) == 0)
		return run_verb(&px_verbs[0], true, argc, argv);
	if (argc < 2) {
		px_because(&why, 0,
			   "say what to do: pycfs VERB (see 'pycfs "
			   "--help')");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if (strcmp(argv[1], "--version") == 0)
		return puts("pycfs " PX_VERSION) < 0;
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help();
	for (i = 0; i < PX_N_VERBS; i++)
		if (strcmp(argv[1], px_verbs[i].name) == 0)
			return run_verb(&px_verbs[i], false, argc - 1,
					argv + 1);
	/* For `mount -t fuse.pycfs` without our own helper, mount.fuse3 of
	 * libfuse runs `pycfs SOURCE MOUNTPOINT -o ...`. */
	if (argc >= 3 && strchr(argv[1], '/'))
		return run_verb(&px_verbs[0], true, argc, argv);
	px_because(&why, 0, "unknown verb '%s' (see 'pycfs --help')", argv[1]);
	return px_fail(PX_EXIT_USAGE, &why);
}
