/* SPDX-License-Identifier: MIT */
#include "opt_wrong.h"
#include "stripper.h"

#include "pycfs/fuse.h"
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
	puts("\n'pycfs VERB --help' and 'pycfs help VERB' list the options; "
	     "'pycfs --version'\nprints the version.");
	return 0;
}

static const struct px_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < PX_N_VERBS; i++)
		if (strcmp(name, px_verbs[i].name) == 0)
			return &px_verbs[i];
	return NULL;
}

/* `name` is NULL for the list of verbs. */
static int help_with(const char *name)
{
	const struct px_verb *verb = name ? find_verb(name) : NULL;
	struct px_why why;

	if (!name)
		return help();
	if (!verb) {
		px_verb_unknown(px_verbs, PX_N_VERBS, name, &why);
		return px_fail(PX_EXIT_USAGE, &why);
	}
	px_opt_help(verb);
	return 0;
}

static bool is_one_of(const char *said, const char *a, const char *b,
		      const char *c)
{
	return strcmp(said, a) == 0 || strcmp(said, b) == 0 ||
	       strcmp(said, c) == 0;
}

static bool needs_fuse(const struct px_verb *verb)
{
	return verb->bit == PX_VERB_MOUNT || verb->bit == PX_VERB_RUN ||
	       verb->bit == PX_VERB_UMOUNT;
}

static const struct px_why *without_fuse(const struct px_verb *verb,
					 struct px_why *why)
{
	px_because(
		why, -ENOSYS,
		"pycfs %s: this pycfs was built without FUSE; 'pycfs export' "
		"writes what a mount shows",
		verb->name);
	return why;
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
	else if (needs_fuse(verb) && !px_fuse_is_built())
		r = px_fail(PX_EXIT_USAGE, without_fuse(verb, &why));
	else if (!o.fake) {
		px_opt_talk(&o);
		r = px_stripper_find(&o, &why) < 0
			    ? px_fail(PX_EXIT_USAGE, &why)
			    : verb->run(&o);
	}
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
	const struct px_verb *verb;
	struct px_why why;

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
	if (is_one_of(argv[1], "--version", "-V", "version"))
		return puts("pycfs " PX_VERSION) < 0;
	if (is_one_of(argv[1], "--help", "-h", "help"))
		return help_with(argv[2]);
	verb = find_verb(argv[1]);
	if (verb)
		return run_verb(verb, false, argc - 1, argv + 1);
	/* For `mount -t fuse.pycfs` without our own helper, mount.fuse3 of
	 * libfuse runs `pycfs SOURCE MOUNTPOINT -o ...`. */
	if (argc >= 3 && strchr(argv[1], '/'))
		return run_verb(&px_verbs[0], true, argc, argv);
	px_verb_unknown(px_verbs, PX_N_VERBS, argv[1], &why);
	return px_fail(PX_EXIT_USAGE, &why);
}
