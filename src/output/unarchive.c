/* SPDX-License-Identifier: MIT */
#include "pycfs/unarchive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MAX_ENTRIES (8u << 20)
#define MAX_BYTES   (64ull << 30)
/* Bytes of the archive that are read at a time. */
#define BLOCK (1u << 18)
/* Bytes of a file that are read at a time. */
#define PIECE (1u << 16)

struct px_unarchive {
	char *name;
	int fd;
	struct archive *a;
	uint64_t entries, bytes; /* that were passed so far */
};

static int damaged(const struct px_unarchive *u, struct px_why *why)
{
	const int err = archive_errno(u->a);
	const char *text = archive_error_string(u->a);

	return px_because(why,
			  err > 0 && err != EINVAL && err != EILSEQ ? -err
								    : -EBADMSG,
			  "%s cannot be read: %s", u->name,
			  text ? text : "it is damaged");
}

static int too_large(const struct px_unarchive *u, struct px_why *why)
{
	return px_because(why, -EFBIG,
			  "%s is too large: more than 64 GiB or 8 million "
			  "entries",
			  u->name);
}

static int open_file(const char *path, struct px_why *why)
{
	struct stat st;
	/* O_NONBLOCK, so that opening a pipe does not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0) {
		const int r = -errno;

		px_closep(&fd);
		return px_because(why, r, "cannot open %s: %s", path,
				  strerror(-r));
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return px_because(why, -EINVAL, "%s is no file", path);
	}
	return fd;
}

static int start(struct px_unarchive *u, struct px_why *why)
{
	struct archive *a = archive_read_new();

	u->a = a;
	if (!a)
		return px_because(why, -ENOMEM, "out of memory");
	/* These return a warning where libarchive would run a program. */
	if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_support_format_zip(a) != ARCHIVE_OK)
		return px_because(why, -ENOTSUP,
				  "libarchive was built without gzip or zstd");
	if (archive_read_open_fd(a, u->fd, BLOCK) != ARCHIVE_OK)
		return damaged(u, why);
	return 0;
}

int px_unarchive_open(const char *path, struct px_unarchive **ret,
		      struct px_why *why)
{
	struct px_unarchive *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return px_because(why, -ENOMEM, "out of memory");
	u->fd = -1;
	u->name = strdup(path);
	r = u->name ? open_file(path, why)
		    : px_because(why, -ENOMEM, "out of memory");
	if (r >= 0) {
		u->fd = r;
		r = start(u, why);
	}
	if (r < 0) {
		px_unarchive_close(u);
		return r;
	}
	*ret = u;
	return 0;
}

/* Counts an entry, whose bytes are read or skipped. */
static bool fits(struct px_unarchive *u, struct archive_entry *e)
{
	const int64_t size = archive_entry_size(e);

	u->entries++;
	if (size > 0 &&
	    __builtin_add_overflow(u->bytes, (uint64_t)size, &u->bytes))
		return false;
	return u->entries <= MAX_ENTRIES && u->bytes <= MAX_BYTES;
}

int px_unarchive_next(struct px_unarchive *u, struct px_unarchive_entry *ret,
		      struct px_why *why)
{
	struct archive_entry *e;
	const char *path;
	int r;

	for (;;) {
		r = archive_read_next_header(u->a, &e);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return damaged(u, why);
		if (!fits(u, e))
			return too_large(u, why);
		path = archive_entry_pathname(e);
		ret->hardlink = archive_entry_hardlink(e);
		if (!path ||
		    (!ret->hardlink && archive_entry_filetype(e) != AE_IFREG))
			continue;
		ret->path = strncmp(path, "./", 2) == 0 ? path + 2 : path;
		if (ret->hardlink && strncmp(ret->hardlink, "./", 2) == 0)
			ret->hardlink += 2;
		return 1;
	}
}

ssize_t px_unarchive_head(struct px_unarchive *u, void *data, size_t n,
			  struct px_why *why)
{
	size_t done = 0;
	ssize_t got;

	while (done < n) {
		got = archive_read_data(u->a, (char *)data + done, n - done);
		if (got < 0)
			return damaged(u, why);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int px_unarchive_read(struct px_unarchive *u, struct px_buf *b,
		      struct px_why *why)
{
	PX_AUTOFREE uint8_t *piece = malloc(PIECE);
	ssize_t got = 1;
	int r = piece ? 0 : -ENOMEM;

	while (r == 0 && got > 0) {
		got = px_unarchive_head(u, piece, PIECE, why);
		if (got < 0)
			return (int)got;
		r = px_buf_add(b, piece, (size_t)got);
	}
	return r < 0 ? px_because(why, r, "%s: %s", u->name, strerror(-r)) : 0;
}

/* Whether a path of an archive may be put behind that of a directory. */
static bool stays_inside(const char *path)
{
	size_t n;

	if (!path || *path == '/')
		return false;
	for (; *path; path += n, path += *path == '/') {
		n = strcspn(path, "/");
		if (n == 2 && strncmp(path, "..", 2) == 0)
			return false;
	}
	return true;
}

/* Puts `dir` before the paths of an entry. */
static int move_below(struct archive_entry *e, const char *dir)
{
	const char *path = archive_entry_pathname(e);
	const char *target = archive_entry_hardlink(e);
	PX_AUTOFREE char *full = NULL;
	PX_AUTOFREE char *full_target = NULL;

	if (!stays_inside(path) || (target && !stays_inside(target)))
		return -EXDEV;
	full = px_path_join(dir, path);
	if (!full)
		return -ENOMEM;
	archive_entry_set_pathname(e, full);
	if (target) {
		full_target = px_path_join(dir, target);
		if (!full_target)
			return -ENOMEM;
		archive_entry_set_hardlink(e, full_target);
	}
	/* Whoever unpacks may delete it again. */
	archive_entry_set_perm(
		e,
		(archive_entry_perm(e) & 0777) |
			(archive_entry_filetype(e) == AE_IFDIR ? 0700 : 0600));
	return 0;
}

static bool is_unpacked(struct archive_entry *e)
{
	const mode_t type = archive_entry_filetype(e);

	return type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK ||
	       archive_entry_hardlink(e);
}

static int copy_data(struct px_unarchive *u, struct archive *to,
		     struct px_why *why)
{
	const void *data;
	int64_t offset;
	size_t n;
	int r;

	for (;;) {
		r = archive_read_data_block(u->a, &data, &n, &offset);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return damaged(u, why);
		if (archive_write_data_block(to, data, n, offset) < ARCHIVE_OK)
			return px_because(why, -EIO, "cannot unpack %s: %s",
					  u->name, archive_error_string(to));
	}
}

static int unpack_entry(struct px_unarchive *u, struct archive *to,
			struct archive_entry *e, const char *dir,
			struct px_why *why)
{
	int r;

	if (!fits(u, e))
		return too_large(u, why);
	if (!is_unpacked(e))
		return 0;
	r = move_below(e, dir);
	if (r == -EXDEV)
		return px_because(why, r,
				  "%s is not unpacked: it has a path that "
				  "leads out of it",
				  u->name);
	if (r == 0 && archive_write_header(to, e) < ARCHIVE_WARN)
		return px_because(why, -EIO, "cannot unpack %s: %s", u->name,
				  archive_error_string(to));
	return r < 0 ? px_because(why, r, "out of memory")
		     : copy_data(u, to, why);
}

int px_unarchive_to(struct px_unarchive *u, const char *dir, struct px_why *why)
{
	struct archive *to = archive_write_disk_new();
	struct archive_entry *e;
	int r = 0, next;

	if (!to)
		return px_because(why, -ENOMEM, "out of memory");
	archive_write_disk_set_options(
		to, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
			    ARCHIVE_EXTRACT_SECURE_SYMLINKS |
			    ARCHIVE_EXTRACT_SECURE_NODOTDOT);
	while (r == 0) {
		next = archive_read_next_header(u->a, &e);
		if (next == ARCHIVE_EOF)
			break;
		r = next < ARCHIVE_WARN ? damaged(u, why)
					: unpack_entry(u, to, e, dir, why);
	}
	if (r == 0 && archive_write_close(to) != ARCHIVE_OK)
		r = px_because(why, -EIO, "cannot unpack %s: %s", u->name,
			       archive_error_string(to));
	archive_write_free(to);
	return r;
}

void px_unarchive_close(struct px_unarchive *u)
{
	if (!u)
		return;
	if (u->a)
		archive_read_free(u->a);
	px_closep(&u->fd);
	free(u->name);
	free(u);
}
