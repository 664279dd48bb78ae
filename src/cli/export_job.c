/* SPDX-License-Identifier: MIT */
#include "export_job.h"

#include "pycfs/path.h"

/* A file that an export writes beside DEST. */
struct beside {
	const char *option; /* such as "--sources" */
	const char *name;   /* NULL: it is not wanted */
	const char *what;   /* what is not to ship with the layer */
};

/* Whether `path` is `dir` or in it, which may be missing yet. Both are as
 * px_path_real_missing has them. */
static bool is_in(const char *path, const char *dir)
{
	const size_t n = strlen(dir);

	return (strncmp(path, dir, n) == 0 &&
		(path[n] == '/' || path[n] == '\0')) ||
	       px_path_inside(path, dir);
}

/* Returns 0, or -EINVAL if it would be written where SOURCE or DEST is. Either
 * is NULL if it is not there. */
static int check_beside(const struct px_export_job *job, const struct beside *b,
			const char *source, const char *dest,
			struct px_why *why)
{
	PX_AUTOFREE char *to = b->name ? px_path_real_missing(b->name) : NULL;

	if (to && source && px_path_inside(to, source))
		return px_because(why, -EINVAL,
				  "%s %s is in %s: write it somewhere else",
				  b->option, b->name, job->source);
	if (to && dest && is_in(to, dest))
		return px_because(why, -EINVAL,
				  "%s %s is in %s: %s not to ship with the "
				  "layer",
				  b->option, b->name, job->dest, b->what);
	return 0;
}

/* Returns 0, or -EINVAL if both name one file, of which one would be lost. */
static int check_apart(const struct beside *a, const struct beside *b,
		       struct px_why *why)
{
	PX_AUTOFREE char *x = a->name ? px_path_real_missing(a->name) : NULL;
	PX_AUTOFREE char *y = b->name ? px_path_real_missing(b->name) : NULL;

	return x && y && strcmp(x, y) == 0
		       ? px_because(why, -EINVAL,
				    "%s and %s are both to be written to %s: "
				    "give each a file of its own",
				    a->option, b->option, b->name)
		       : 0;
}

static int check_all_beside(const struct px_export_job *job, const char *source,
			    const char *dest, struct px_why *why)
{
	const struct beside all[] = {
		{"--sources", job->o->sources, "the sources are"},
		{"--manifest", job->o->manifest, "the manifest is"},
		{"--sbom", job->o->sbom, "the list is"},
	};
	int r = 0;

	if (job->o->sources && px_sink_format(job->o->sources) == PX_SINK_DIR)
		return px_because(why, -EINVAL,
				  "--sources %s: the name has to end in .tar, "
				  ".tar.gz, .tar.zst or .zip",
				  job->o->sources);
	for (size_t i = 0; i < PX_ARRAY_LEN(all) && r == 0; i++)
		r = check_beside(job, &all[i], source, dest, why);
	for (size_t i = 1; i < PX_ARRAY_LEN(all) && r == 0; i++)
		for (size_t k = 0; k < i && r == 0; k++)
			r = check_apart(&all[k], &all[i], why);
	return r;
}

/* Returns 0, or -EINVAL if DEST is in SOURCE, so that the export would read
 * what it writes, or SOURCE is in DEST, and would be replaced. */
static int check_places(const struct px_export_job *job, struct px_why *why)
{
	PX_AUTOFREE char *source = realpath(job->source, NULL);
	PX_AUTOFREE char *dest =
		job->to_stdout ? NULL : px_path_real_missing(job->dest);

	if (check_all_beside(job, source, dest, why) < 0)
		return -EINVAL;
	/* A place that does not exist is reported when it is opened. */
	if (!source || !dest)
		return 0;
	if (px_path_inside(dest, source))
		return px_because(why, -EINVAL,
				  "%s is in %s: write it somewhere else",
				  job->dest, job->source);
	if (px_path_inside(source, dest))
		return px_because(why, -EINVAL,
				  "%s is in %s, which would be replaced",
				  job->source, job->dest);
	return 0;
}

int px_export_check_job(const struct px_export_job *job, struct px_why *why)
{
	const char *unknown =
		job->to_stdout ? NULL : px_sink_unknown_ending(job->dest);
	const struct px_opt *o = job->o;

	if (unknown)
		return px_because(
			why, -EINVAL,
			"%s: pycfs writes no %s; an archive's name "
			"ends in " PX_SINK_ENDINGS
			", and that of a directory can end in a slash",
			job->dest, unknown);
	if (job->to_stdout && isatty(STDOUT_FILENO))
		return px_because(why, -EINVAL,
				  "stdout is a terminal: redirect the tar to a "
				  "file or a pipe");
	if (job->to_stdout && o->json)
		return px_because(why, -EINVAL,
				  "--json and a tar cannot both be on stdout");
	if (job->format == PX_SINK_ZIP && o->hardlink_dupes)
		return px_because(why, -EINVAL,
				  "a zip has no hard links: --hardlink-dupes "
				  "needs a directory or a tar");
	if (job->format == PX_SINK_DIR && o->print_digest)
		return px_because(why, -EINVAL,
				  "--print-digest needs an archive "
				  "(" PX_SINK_ENDINGS ")");
	if (o->max_compressed_size &&
	    (job->format == PX_SINK_DIR || job->format == PX_SINK_TAR))
		return px_because(why, -EINVAL,
				  "--max-compressed-size needs a compressed "
				  "archive (.zip, .tar.gz, .tar.zst)");
	if (job->format == PX_SINK_ZIP && o->mtime > INT32_MAX)
		return px_because(why, -EINVAL,
				  "a zip holds no time after 2038-01-19");
	return check_places(job, why);
}
