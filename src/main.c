/* SPDX-License-Identifier: MIT */
#include "pycfs/cmd.h"
#include "pycfs/log.h"

#include <fcntl.h>
#include <stdio.h>

static const struct px_verb verbs[] = {
	{"mount", PX_VERB_MOUNT, px_cmd_mount, 2, 2, "SOURCE MOUNTPOINT",
	 "mount the view of SOURCE",
	 "Mounts a read-only view of the directory SOURCE in which every .py "
	 "is "
	 "seen only as its .pyc, compiled on first use. Returns when it is "
	 "mounted."},
	{"umount", PX_VERB_UMOUNT, px_cmd_umount, 1, 1, "MOUNTPOINT",
	 "unmount it", "Commits what was compiled to the cache and unmounts."},
	{"run", PX_VERB_RUN, px_cmd_run, 3, -1,
	 "SOURCE MOUNTPOINT -- COMMAND...", "mount, run COMMAND, unmount",
	 "Mounts, runs COMMAND, unmounts and exits as COMMAND did: 128 plus "
	 "its "
	 "number if a signal ended it, 127 if it was not found."},
	{"export", PX_VERB_EXPORT, px_cmd_export, 2, 2, "SOURCE DEST",
	 "write the view to a directory, tar or zip",
	 "Writes what a mount of SOURCE shows to DEST: X.zip, X.tar, X.tar.gz, "
	 "X.tar.zst, - (a tar on stdout), or else a directory. DEST is "
	 "replaced once all of it is there, or left as it was."},
	{"cache", PX_VERB_CACHE, px_cmd_cache, 1, 1, "stat|gc|verify|clear",
	 "look at the cache, tidy or empty it",
	 "stat: prints what the cache holds. gc: forgets what --max-age or "
	 "--max-size leave no room for. verify: reads all of it and drops what "
	 "is damaged. clear: empties it. Mounts that use it go on."},
	{"report", PX_VERB_REPORT, px_cmd_report, 1, 1, "SOURCE|MOUNTPOINT",
	 "what ships and what it costs",
	 "SOURCE: prints what a mount of it ships, by distribution, and what "
	 "that costs. MOUNTPOINT: prints the counters of the daemon behind "
	 "it."},
};

int px_cmd_fail(int status, const struct px_why *why)
{
	px_log(PX_LOG_ERROR, "%s", why->text);
	return status;
}

static int help(void)
{
	size_t i;

	puts("usage: pycfs VERB [options] ...\n\n"
	     "A site-packages as bytecode: a read-only view in which every .py "
	     "is its .pyc.\n");
	for (i = 0; i < PX_ARRAY_LEN(verbs); i++)
		printf("  %-8s%s\n", verbs[i].name, verbs[i].summary);
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
		r = px_cmd_fail(PX_EXIT_USAGE, &why);
	else if (o.help)
		px_opt_help(verb);
	else if (!o.fake)
		r = verb->run(&o);
	px_opt_fini(&o);
	return r;
}

/* Something later would land on 0, 1 or 2 and be printed to. Writing to one
 * that was closed stays an error. */
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
	px_log_init(PX_LOG_STDERR, PX_LOG_WARNING);
	name = name ? name + 1 : argv[0];
	if (name && strncmp(name, "mount.", 6) == 0)
		return run_verb(&verbs[0], true, argc, argv);
	if (argc < 2) {
		px_because(&why, 0,
			   "say what to do: pycfs VERB (see 'pycfs "
			   "--help')");
		return px_cmd_fail(PX_EXIT_USAGE, &why);
	}
	if (strcmp(argv[1], "--version") == 0)
		return puts("pycfs " PX_VERSION) < 0;
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help();
	for (i = 0; i < PX_ARRAY_LEN(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run_verb(&verbs[i], false, argc - 1, argv + 1);
	/* mount.fuse3 of libfuse runs `pycfs SOURCE MOUNTPOINT -o ...`. */
	if (argc >= 3 && strchr(argv[1], '/'))
		return run_verb(&verbs[0], true, argc, argv);
	px_because(&why, 0, "unknown verb '%s' (see 'pycfs --help')", argv[1]);
	return px_cmd_fail(PX_EXIT_USAGE, &why);
}
