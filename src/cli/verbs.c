/* SPDX-License-Identifier: MIT */
#include "pycfs/verbs.h"

const struct px_verb px_verbs[PX_N_VERBS] = {
	{"mount", PX_VERB_MOUNT, px_cmd_mount, 2, 2, "SOURCE MOUNTPOINT",
	 "mount the view of SOURCE",
	 "Mounts a read-only view of the directory SOURCE in which every .py "
	 "is seen only as its .pyc, compiled on first use. Returns when it is "
	 "mounted."},
	{"umount", PX_VERB_UMOUNT, px_cmd_umount, 1, 1, "MOUNTPOINT",
	 "unmount a view",
	 "Commits what was compiled to the cache and unmounts."},
	{"run", PX_VERB_RUN, px_cmd_run, 2, -1,
	 "SOURCE [MOUNTPOINT] -- COMMAND...", "mount, run COMMAND, unmount",
	 "Mounts, runs COMMAND, unmounts and exits as COMMAND did: 128 plus "
	 "its number if a signal ended it, 127 if it was not found. COMMAND "
	 "has "
	 "the place of the mount in $PYCFS_MOUNT; without MOUNTPOINT that is a "
	 "new directory in $TMPDIR or /tmp."},
	{"export", PX_VERB_EXPORT, px_cmd_export, 2, 2, "SOURCE DEST",
	 "write the view to a directory, tar or zip",
	 "Writes what a mount of SOURCE shows to DEST: X.zip, X.tar, X.tar.gz, "
	 "X.tar.zst, - (a tar on stdout), or else a directory. DEST is "
	 "replaced once all of it is there, or left as it was."},
	{"check", PX_VERB_CHECK, px_cmd_check, 1, -1, "SOURCE [-- COMMAND...]",
	 "import everything from the source and from the layer",
	 "Runs the code that you are about to ship. Imports every top-level "
	 "module and loads every entry point, from SOURCE and from what a "
	 "mount of it shows, and prints what fails in the layer alone. "
	 "Each runs in a process of its own, which is confined as far as this "
	 "system allows. With COMMAND, also runs that with each of the two as "
	 "PYTHONPATH, and compares how it ends and its JUnit XML."},
	{"verify", PX_VERB_VERIFY, px_cmd_verify, 1, 1, "LAYER",
	 "compare a layer with its manifest, and with its source",
	 "Reads every file of LAYER, a directory, tar or zip, and compares it "
	 "with what export --manifest wrote. With --source, also makes the "
	 "layer again, with the options of the manifest and without writing "
	 "it, and compares that: a second builder audits the first."},
	{"traceback", PX_VERB_TRACEBACK, px_cmd_traceback, 0, 0, "< LOG",
	 "put source lines back into tracebacks",
	 "Copies a log from stdin to stdout, and puts below each frame of the "
	 "layer that has none the line of the source, from what export "
	 "--sources kept or from a directory."},
	{"cache", PX_VERB_CACHE, px_cmd_cache, 1, 3,
	 "stat|gc|verify|compact|clear|keygen|push|pull|remote [ARGUMENT...]",
	 "look at the cache, tidy, empty or share it",
	 "stat: prints what the cache holds. gc: removes what is older than "
	 "--max-age or too much for --max-size. verify: reads all of it and "
	 "removes what is damaged. compact: writes it anew, as small as it can "
	 "be. clear: empties it. Mounts that use it go on. keygen NAME FILE: "
	 "makes a key that signs, and prints the one to trust. push SOURCE: "
	 "compiles what the --remote store lacks of SOURCE, and stores it "
	 "there. pull SOURCE: takes what it has into the cache. remote: says "
	 "whether the store answers, and who signs there. The options that "
	 "decide what is compiled are for push and pull."},
	{"report", PX_VERB_REPORT, px_cmd_report, 1, 1, "SOURCE|MOUNTPOINT",
	 "what ships and what it costs",
	 "SOURCE: prints what a mount of it ships, by distribution, and what "
	 "that costs. MOUNTPOINT: prints the counters of the daemon behind "
	 "it."},
};
