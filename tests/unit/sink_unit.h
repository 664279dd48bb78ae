/* SPDX-License-Identifier: MIT */
#ifndef PX_SINK_UNIT_H
#define PX_SINK_UNIT_H
/*
 * Helpers for the tests of the sinks. Every test has an empty directory, in
 * which it writes the same few entries to "out", "out.tar" and so on.
 */

#include "unit.h"
#include "pycfs/export.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define EPOCH 1000000000

struct fixture {
	char path[PATH_MAX]; /* of the directory */
	int top;	     /* descriptor of the directory */
	int n_fds;	     /* open descriptors before the test */
};

static inline int n_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	umask(022);
	snprintf(f->path, sizeof(f->path), "%s/pycfs-sink-XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(f->path))
		return -1;
	f->top = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->n_fds = n_open_fds();
	*state = f;
	return 0;
}

static inline void remove_tree(int dirfd, const char *name)
{
	const struct dirent *e;
	DIR *dir;
	int fd;

	if (unlinkat(dirfd, name, 0) == 0)
		return;
	fchmodat(dirfd, name, 0700, 0);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_tree(fd, e->d_name);
	closedir(dir);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	const bool leaks = n_open_fds() != f->n_fds;

	close(f->top);
	remove_tree(AT_FDCWD, f->path);
	free(f);
	return leaks ? -1 : 0;
}

static inline bool is_there(struct fixture *f, const char *path)
{
	return faccessat(f->top, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void write_text(struct fixture *f, const char *name,
			      const char *text)
{
	PX_AUTOCLOSE int fd = openat(
		f->top, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, text, strlen(text)), 0);
}

static inline void check_text(struct fixture *f, const char *name,
			      const char *text)
{
	PX_AUTOCLOSE int fd = openat(f->top, name, O_RDONLY | O_CLOEXEC);
	char got[100];
	ssize_t n;

	assert_true(fd >= 0);
	n = px_read_full(fd, got, sizeof(got) - 1);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

/* Returns a descriptor of a temporary file with `n` bytes, at offset 0. */
static inline int file_of(size_t n)
{
	char path[] = "/tmp/pycfs-sink-file-XXXXXX";
	const int fd = mkstemp(path);
	char *data = malloc(n + 1);

	assert_true(fd >= 0 && data);
	unlink(path);
	memset(data, 'x', n);
	assert_int_equal(px_write_full(fd, data, n), 0);
	free(data);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Writes the names in the directory to `ret`, sorted, each followed by a space.
 * The six random letters of a temporary name are replaced by "*". */
static inline void names_of(struct fixture *f, char ret[400])
{
	char path[PATH_MAX + 8];
	struct dirent **list;
	size_t at = 0;
	int n;

	snprintf(path, sizeof(path), "%s/", f->path);
	n = scandir(path, &list, NULL, alphasort);
	assert_true(n >= 2);
	*ret = '\0';
	for (int i = 0; i < n; i++) {
		char *name = list[i]->d_name, *mark = strstr(name, ".pycfs-");

		if (mark && strlen(mark) == 13)
			memcpy(mark + 7, "*", 2);
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			at += (size_t)snprintf(ret + at, 400 - at, "%s ", name);
		free(list[i]);
	}
	free(list);
}

static inline void check_names(struct fixture *f, const char *names)
{
	char got[400];

	names_of(f, got);
	assert_string_equal(got, names);
}

/* ----------------------------------------------------------------- writing */

static inline int open_sink(struct fixture *f, const char *name, bool force,
			    struct px_sink **ret, struct px_why *why)
{
	char dest[PATH_MAX + 300];
	const struct px_sink_options o = {
		.dest = dest, .fd = -1, .force = force, .digest = true};

	snprintf(dest, sizeof(dest), "%s/%s", f->path, name);
	*why->text = '\0';
	*ret = NULL;
	return px_sink_open(&o, ret, why);
}

static inline struct px_sink *start(struct fixture *f, const char *name,
				    bool force)
{
	struct px_sink *s;
	struct px_why why;

	if (open_sink(f, name, force, &s, &why) != 0)
		fail_msg("%s: %s", name, why.text);
	return s;
}

static inline void refuse(struct fixture *f, const char *name, bool force,
			  int err, const char *says)
{
	struct px_sink *s;
	struct px_why why;
	const int r = open_sink(f, name, force, &s, &why);

	if (r != err)
		fail_msg("\"%s\": %d: %s", name, r, why.text);
	if (!strstr(why.text, says))
		fail_msg("\"%s\" does not say \"%s\"", why.text, says);
	assert_null(s);
}

static inline struct px_attr attr_of(enum px_kind kind, uint32_t mode, int n,
				     uint64_t size)
{
	return (struct px_attr){.kind = kind,
				.mode = mode,
				.uid = geteuid(),
				.gid = getegid(),
				.mtime = EPOCH + n,
				.size = size};
}

static inline int put(struct px_sink *s, const char *path,
		      const struct px_attr *a, const char *text)
{
	const struct px_sink_entry e = {
		.path = path,
		.attr = a,
		.target = a->kind == PX_KIND_LINK ? text : NULL,
	};

	return px_sink_put(s, &e, text);
}

static inline void put_dir(struct px_sink *s, const char *path, uint32_t mode,
			   int n)
{
	const struct px_attr a = attr_of(PX_KIND_DIR, mode, n, 4096);

	assert_int_equal(put(s, path, &a, NULL), 0);
}

static inline void put_text(struct px_sink *s, const char *path, uint32_t mode,
			    int n, const char *text)
{
	const struct px_attr a = attr_of(PX_KIND_MODULE, mode, n, strlen(text));

	assert_int_equal(put(s, path, &a, text), 0);
}

static inline int put_fd(struct px_sink *s, const char *path, uint64_t size,
			 int fd)
{
	const struct px_attr a = attr_of(PX_KIND_FILE, 0400, 4, size);
	const struct px_sink_entry e = {.path = path, .attr = &a};
	const int r = px_sink_put_fd(s, &e, fd);

	close(fd);
	return r;
}

/* Writes one entry of each kind: among them a directory without write
 * permission that contains another directory, and two equal files, of which the
 * second is a hard link if `links` is true. */
static inline void put_all(struct px_sink *s, bool links)
{
	const struct px_attr twin = attr_of(PX_KIND_MODULE, 0640, 2, 5);
	const struct px_attr link = attr_of(PX_KIND_LINK, 0777, 6, 3);
	const struct px_sink_entry e = {.path = "a/f",
					.attr = &twin,
					.target = links ? "a-b" : NULL,
					.hardlink = links};

	put_dir(s, "", 0750, 0);
	put_text(s, "a-b", 0640, 2, "hello");
	put_dir(s, "a", 0555, 1);
	assert_int_equal(px_sink_put(s, &e, links ? NULL : "hello"), 0);
	put_dir(s, "a/sub", 0500, 3);
	assert_int_equal(put_fd(s, "a/sub/deep", 3, file_of(3)), 0);
	assert_int_equal(put(s, "b", &link, "a/f"), 0);
	put_dir(s, "empty", 0700, 7);
	put_text(s, "none", 0000, 8, "");
}

static inline struct px_sink_result commit(struct px_sink *s)
{
	struct px_sink_result result;
	struct px_why why;

	memset(&result, 0xff, sizeof(result));
	assert_int_equal(px_sink_finish(s, &result), 0);
	if (px_sink_commit(s, &why) != 0)
		fail_msg("%s", why.text);
	px_sink_free(s);
	return result;
}

/* ----------------------------------------------------------- reading it back
 */

static inline struct archive *open_archive(struct fixture *f, const char *name)
{
	struct archive *a = archive_read_new();
	char path[PATH_MAX + 100];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	archive_read_support_filter_all(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_zip(a);
	if (archive_read_open_filename(a, path, 4096) != ARCHIVE_OK)
		fail_msg("%s: %s", name, archive_error_string(a));
	return a;
}

/* Checks the next entry of an archive. `text` is its data, or ">" and the
 * target of a symlink, or "=" and the target of a hard link. */
static inline void check_entry(struct archive *a, const char *path, mode_t mode,
			       int n, const char *text)
{
	char got[100] = "";
	struct archive_entry *e;

	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(e), path);
	if (*text == '=') {
		assert_string_equal(archive_entry_hardlink(e), text + 1);
		assert_int_equal(archive_entry_size(e), 0);
		return;
	}
	assert_null(archive_entry_hardlink(e));
	if (archive_entry_mode(e) != mode)
		fail_msg("%s: %o", path, archive_entry_mode(e));
	assert_int_equal(archive_entry_mtime(e), EPOCH + n);
	assert_int_equal(archive_entry_mtime_nsec(e), 0);
	assert_int_equal(archive_entry_uid(e), geteuid());
	assert_int_equal(archive_entry_gid(e), getegid());
	if (S_ISLNK(mode)) {
		assert_string_equal(archive_entry_symlink(e), text + 1);
		return;
	}
	assert_true(archive_read_data(a, got, sizeof(got) - 1) >= 0);
	assert_string_equal(got, text);
}

static inline void check_end(struct archive *a)
{
	struct archive_entry *e;

	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_EOF);
	assert_int_equal(archive_read_free(a), ARCHIVE_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
