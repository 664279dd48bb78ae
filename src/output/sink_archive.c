/* SPDX-License-Identifier: MIT */
/*
 * Writes archives with libarchive. A compressed tar needs two of its writers:
 * one produces the tar, whose SHA-256 is the diff_id, and the other compresses
 * these bytes as they come.
 *
 * The output does not depend on the machine: it has no names of owners, no
 * times but mtime, and no name or time in the gzip header, and the compression
 * level is fixed. (A zip stores local time, so the process must run with
 * TZ=UTC.)
 */
#include "sink_i.h"

#include "pycfs/log.h"

#include <archive.h>
#include <archive_entry.h>
#include <langinfo.h>
#include <sys/stat.h>

#define COPY_CHUNK (1u << 18)
/* The minimum size in bytes of a write to the archive, except the last one. */
#define BLOCK_SIZE (1 << 18)

struct px_archive_sink {
	enum px_sink_format format;
	int fd;
	struct archive *outer; /* produces the zip or the tar */
	/* compresses the tar; NULL if it is not compressed */
	struct archive *filter;
	struct archive_entry *entry;
	bool digest;
	bool dropped; /* drop further output */
	int err;      /* -errno of a failed write to fd; else 0 */
	uint64_t bytes;
	struct px_sha256 sha256, diff_id;
	uint8_t *buffer; /* of COPY_CHUNK bytes; NULL until needed */
};

/*
 * Names must be stored as UTF-8 on every system. libarchive (3.6.2:
 * get_current_charset of archive_string.c, and archive_write_set_format_zip.c)
 * assumes that names have the character set of the process's locale, which it
 * gets from nl_langinfo. Not every system has a UTF-8 locale, and libarchive
 * has no option for the character set, so this program defines nl_langinfo
 * itself. The dynamic linker prefers a definition in the program to one in a
 * library, also for calls from libraries.
 */
char *nl_langinfo(nl_item item)
{
	static char utf8[] = "UTF-8", none[] = "";

	return item == CODESET ? utf8 : none;
}

static ssize_t write_file(struct archive *a, void *arg, const void *data,
			  size_t n)
{
	struct px_archive_sink *s = arg;
	int r;

	if (s->dropped)
		return (ssize_t)n;
	r = px_write_full(s->fd, data, n);
	if (r < 0) {
		s->err = r;
		archive_set_error(a, -r, "%s", strerror(-r));
		return -1;
	}
	if (s->digest)
		px_sha256_update(&s->sha256, data, n);
	s->bytes += n;
	return (ssize_t)n;
}

static ssize_t write_filter(struct archive *a, void *arg, const void *data,
			    size_t n)
{
	struct px_archive_sink *s = arg;

	if (s->digest)
		px_sha256_update(&s->diff_id, data, n);
	if (archive_write_data(s->filter, data, n) != (ssize_t)n) {
		archive_set_error(a, archive_errno(s->filter), "%s",
				  archive_error_string(s->filter));
		return -1;
	}
	return (ssize_t)n;
}

/* Converts the last libarchive error of `a` to -errno. */
static int errno_of(const struct px_archive_sink *s, struct archive *a)
{
	const int err = archive_errno(a);

	if (s->err < 0)
		return s->err;
	/* ARCHIVE_ERRNO_FILE_FORMAT and ARCHIVE_ERRNO_PROGRAMMER have the
	 * values of EILSEQ and EINVAL. ARCHIVE_ERRNO_MISC is -1. */
	return err > 0 ? -err : -EIO;
}

static int check(const struct px_archive_sink *s, struct archive *a, int r)
{
	return r < ARCHIVE_WARN ? errno_of(s, a) : 0;
}

static void set_blocks(struct archive *a)
{
	archive_write_set_bytes_per_block(a, BLOCK_SIZE);
	archive_write_set_bytes_in_last_block(a, 1);
}

/* Opens the compressing writer, which writes a raw stream. */
static int open_filter(struct px_archive_sink *s)
{
	struct archive *a = archive_write_new();
	bool gz = s->format == PX_SINK_TAR_GZ;
	int r;

	if (!a)
		return -ENOMEM;
	s->filter = a;
	archive_write_set_format_raw(a);
	set_blocks(a);
	r = gz ? archive_write_add_filter_gzip(a)
	       : archive_write_add_filter_zstd(a);
	if (r == ARCHIVE_OK)
		r = gz ? archive_write_set_options(
				 a, "gzip:compression-level=6,gzip:!timestamp")
		       : archive_write_set_options(a,
						   "zstd:compression-level=9");
	if (r == ARCHIVE_OK)
		r = archive_write_open(a, s, NULL, write_file, NULL);
	if (r == ARCHIVE_OK) {
		archive_entry_set_filetype(s->entry, AE_IFREG);
		archive_entry_set_pathname(s->entry, "tar");
		r = archive_write_header(a, s->entry);
		archive_entry_clear(s->entry);
	}
	/* libarchive returns a warning instead of ARCHIVE_OK if it would have
	 * to run an external program as the filter. */
	return r == ARCHIVE_OK ? 0 : -ENOTSUP;
}

static int open_outer(struct px_archive_sink *s)
{
	struct archive *a = archive_write_new();
	int r;

	if (!a)
		return -ENOMEM;
	s->outer = a;
	if (s->format == PX_SINK_ZIP) {
		r = archive_write_set_format_zip(a);
		if (r == ARCHIVE_OK)
			r = archive_write_set_options(
				a, "zip:compression=deflate,"
				   "zip:compression-level=6");
	} else {
		/* "Restricted pax" writes ustar headers, and pax headers only
		 * for what ustar cannot store. */
		r = archive_write_set_format_pax_restricted(a);
	}
	set_blocks(a);
	if (r == ARCHIVE_OK)
		r = archive_write_open(a, s, NULL,
				       s->filter ? write_filter : write_file,
				       NULL);
	return r == ARCHIVE_OK ? 0 : -ENOTSUP;
}

int px_archive_sink_new(int fd, enum px_sink_format format, bool digest,
			struct px_archive_sink **ret)
{
	struct px_archive_sink *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->format = format;
	s->fd = fd;
	s->digest = digest;
	s->entry = archive_entry_new();
	px_sha256_init(&s->sha256);
	px_sha256_init(&s->diff_id);
	if (!s->entry)
		r = -ENOMEM;
	if (r == 0 && (format == PX_SINK_TAR_GZ || format == PX_SINK_TAR_ZST))
		r = open_filter(s);
	if (r == 0)
		r = open_outer(s);
	if (r < 0) {
		px_archive_sink_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static unsigned filetype_of(enum px_kind kind)
{
	if (px_kind_is_dir(kind))
		return AE_IFDIR;
	return kind == PX_KIND_LINK ? AE_IFLNK : AE_IFREG;
}

static bool is_utf8(const char *text)
{
	size_t n = 1;

	for (; *text && n > 0; text += n)
		n = px_utf8_sequence(text);
	return n > 0;
}

static int put_header(struct px_archive_sink *s, const struct px_sink_entry *e)
{
	const struct px_attr *a = e->attr;
	struct archive_entry *entry = s->entry;

	archive_entry_clear(entry);
	archive_entry_copy_pathname(entry, e->path);
	archive_entry_set_filetype(entry, filetype_of(a->kind));
	archive_entry_set_perm(entry, (mode_t)a->mode);
	archive_entry_set_uid(entry, a->uid);
	archive_entry_set_gid(entry, a->gid);
	archive_entry_set_mtime(entry, a->mtime, 0);
	archive_entry_set_nlink(entry, 1);
	if (e->hardlink)
		archive_entry_copy_hardlink(entry, e->target);
	else if (a->kind == PX_KIND_LINK)
		archive_entry_copy_symlink(entry, e->target);
	archive_entry_set_size(entry,
			       filetype_of(a->kind) == AE_IFREG && !e->hardlink
				       ? (la_int64_t)a->size
				       : 0);
	return check(s, s->outer, archive_write_header(s->outer, entry));
}

static int put_data(struct px_archive_sink *s, const void *data, size_t n)
{
	if (n > 0 && archive_write_data(s->outer, data, n) != (ssize_t)n)
		return errno_of(s, s->outer);
	return 0;
}

/* Writes the content of `fd`, which must have exactly `n` bytes left. */
static int put_fd(struct px_archive_sink *s, int fd, uint64_t n)
{
	uint64_t done = 0, want;
	ssize_t got;
	int r;

	if (!s->buffer)
		s->buffer = malloc(COPY_CHUNK);
	if (!s->buffer)
		return -ENOMEM;
	/* Each read asks for one byte more than should be left, so that a short
	 * read also shows the end of the file, without another read. */
	do {
		want = n - done < COPY_CHUNK ? n - done + 1 : COPY_CHUNK;
		got = read(fd, s->buffer, (size_t)want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		done += (uint64_t)got;
		if (done > n)
			return -ESTALE;
		r = put_data(s, s->buffer, (size_t)got);
		if (r < 0)
			return r;
	} while (got != 0 && (done < n || (uint64_t)got == want));
	return done == n ? 0 : -ESTALE;
}

int px_archive_sink_put(struct px_archive_sink *s,
			const struct px_sink_entry *e, const void *data, int fd)
{
	int r;

	if (*e->path == '\0')
		return 0;
	/* Python's zipfile cannot open a zip with a name that is not UTF-8. */
	if (s->format == PX_SINK_ZIP &&
	    (!is_utf8(e->path) || (e->target && !is_utf8(e->target))))
		return -EILSEQ;
	r = put_header(s, e);
	if (r < 0 || e->hardlink || filetype_of(e->attr->kind) != AE_IFREG)
		return r;
	if (fd >= 0)
		return put_fd(s, fd, e->attr->size);
	return put_data(s, data, (size_t)e->attr->size);
}

int px_archive_sink_finish(struct px_archive_sink *s,
			   struct px_sink_result *ret)
{
	int r = check(s, s->outer, archive_write_close(s->outer));

	if (r == 0 && s->filter)
		r = check(s, s->filter, archive_write_close(s->filter));
	ret->bytes = s->bytes;
	if (!s->digest)
		return r;
	px_sha256_final(&s->sha256, ret->sha256);
	if (s->filter)
		px_sha256_final(&s->diff_id, ret->diff_id);
	else
		memcpy(ret->diff_id, ret->sha256, sizeof(ret->diff_id));
	return r;
}

void px_archive_sink_free(struct px_archive_sink *s)
{
	if (!s)
		return;
	/* Freeing an archive that has not been closed completes it, so drop
	 * this output: a truncated archive must not look complete.
	 * (archive_write_fail exists for this, but leaks memory.) */
	s->dropped = true;
	if (s->outer)
		archive_write_free(s->outer);
	if (s->filter)
		archive_write_free(s->filter);
	archive_entry_free(s->entry);
	free(s->buffer);
	free(s);
}

const char *px_sink_library(void)
{
	return archive_version_details();
}
