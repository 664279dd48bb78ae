/* SPDX-License-Identifier: MIT */
#include "sink_i.h"

#include "pycfs/path.h"
#include "pycfs/temp.h"

#include <strings.h>

struct px_sink {
	struct px_temp temp;
	struct px_dir_sink *dir; /* one of `dir` and `archive` is set */
	struct px_archive_sink *archive;
};

static const struct {
	const char *ending;
	enum px_sink_format format;
} endings[] = {
	{".tar", PX_SINK_TAR},	    {".tar.gz", PX_SINK_TAR_GZ},
	{".tgz", PX_SINK_TAR_GZ},   {".tar.zst", PX_SINK_TAR_ZST},
	{".tzst", PX_SINK_TAR_ZST}, {".zip", PX_SINK_ZIP},
};

enum px_sink_format px_sink_format(const char *dest)
{
	const size_t n = strlen(dest);
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(endings); i++) {
		const size_t m = strlen(endings[i].ending);

		/* A name that consists of such an ending only, like ".zip", is
		 * that of a directory. */
		if (n > m && dest[n - m - 1] != '/' &&
		    strcmp(dest + n - m, endings[i].ending) == 0)
			return endings[i].format;
	}
	return PX_SINK_DIR;
}

/* The endings of other archives, images and compressed files. They are no names
 * for a directory that somebody could want, in contrast to .egg or .d. */
static const char *const unknown[] = {
	".7z",	     ".apk",  ".arj", ".br",   ".bz",	".bz2",	 ".cab",
	".conda",    ".cpio", ".deb", ".dmg",  ".ear",	".gz",	 ".gzip",
	".iso",	     ".jar",  ".lha", ".lrz",  ".lz",	".lz4",	 ".lzma",
	".lzo",	     ".pax",  ".pex", ".pyz",  ".rar",	".rpm",	 ".sqfs",
	".squashfs", ".tar",  ".taz", ".tbz",  ".tbz2", ".tgz",	 ".tlz",
	".txz",	     ".tz2",  ".tzo", ".tzst", ".war",	".whl",	 ".xar",
	".xz",	     ".z",    ".zip", ".zipx", ".zst",	".zstd",
};

const char *px_sink_unknown_ending(const char *dest)
{
	const char *name = px_path_name(dest);
	const char *dot = strrchr(name, '.');
	size_t i;

	/* As above, a name such as .zip is that of a directory. */
	if (px_sink_format(dest) != PX_SINK_DIR || !dot || dot == name)
		return NULL;
	for (i = 0; i < PX_ARRAY_LEN(unknown); i++)
		if (strcasecmp(dot, unknown[i]) == 0) {
			if (dot - name > 4 &&
			    strncasecmp(dot - 4, ".tar", 4) == 0)
				dot -= 4;
			return dot;
		}
	return NULL;
}

int px_sink_open(const struct px_sink_options *o, struct px_sink **ret,
		 struct px_why *why)
{
	const enum px_sink_format format =
		o->fd >= 0 ? PX_SINK_TAR : px_sink_format(o->dest);
	struct px_sink *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return px_because(why, -ENOMEM, "out of memory");
	s->temp.parent = s->temp.lock = s->temp.parents.base = -1;
	if (o->fd < 0)
		r = px_temp_make(&s->temp, o->dest, format == PX_SINK_DIR,
				 o->force, why);
	if (r == 0) {
		const int fd = o->fd >= 0 ? o->fd : s->temp.lock;

		r = format == PX_SINK_DIR
			    ? px_dir_sink_new(fd, &s->dir)
			    : px_archive_sink_new(fd, format, o->digest,
						  &s->archive);
		if (r < 0)
			px_because(why, r, "cannot begin to write: %s",
				   strerror(-r));
	}
	if (r < 0) {
		px_sink_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int put(struct px_sink *s, const struct px_sink_entry *e,
	       const void *data, int fd)
{
	return s->dir ? px_dir_sink_put(s->dir, e, data, fd)
		      : px_archive_sink_put(s->archive, e, data, fd);
}

int px_sink_put(struct px_sink *s, const struct px_sink_entry *e,
		const void *data)
{
	return put(s, e, data, -1);
}

int px_sink_put_fd(struct px_sink *s, const struct px_sink_entry *e, int fd)
{
	return put(s, e, NULL, fd);
}

int px_sink_finish(struct px_sink *s, struct px_sink_result *ret)
{
	*ret = (struct px_sink_result){0};
	if (s->dir)
		return px_dir_sink_finish(s->dir);
	return px_archive_sink_finish(s->archive, ret);
}

int px_sink_commit(struct px_sink *s, struct px_why *why)
{
	return s->temp.name ? px_temp_commit(&s->temp, why) : 0;
}

void px_sink_free(struct px_sink *s)
{
	if (!s)
		return;
	px_dir_sink_free(s->dir);
	px_archive_sink_free(s->archive);
	px_temp_fini(&s->temp);
	free(s);
}
