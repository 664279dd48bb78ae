/* SPDX-License-Identifier: MIT */
#include "sink_unit.h"

/* ----------------------------------------------------------------- formats */

static void test_formats(void **state PX_UNUSED)
{
	static const struct {
		const char *dest;
		enum px_sink_format format;
	} rows[] = {
		{"x.tar", PX_SINK_TAR},
		{"/a/b.c/x.tar", PX_SINK_TAR},
		{"x.tar.gz", PX_SINK_TAR_GZ},
		{"x.tgz", PX_SINK_TAR_GZ},
		{"x.tar.zst", PX_SINK_TAR_ZST},
		{"x.tzst", PX_SINK_TAR_ZST},
		{"x.zip", PX_SINK_ZIP},
		{"a/ .zip", PX_SINK_ZIP},
		{"..zip", PX_SINK_ZIP},
		{"x.tar.zip", PX_SINK_ZIP},
		{"x.zip.tar", PX_SINK_TAR},
		/* ".tar" is its name, and that ends in .gz */
		{".tar.gz", PX_SINK_DIR},
		{"x", PX_SINK_DIR},
		{"", PX_SINK_DIR},
		{"/", PX_SINK_DIR},
		{"zip", PX_SINK_DIR},
		{".zip", PX_SINK_DIR},
		{"a/.tar", PX_SINK_DIR},
		{"a/.tgz", PX_SINK_DIR},
		{"x.zip/", PX_SINK_DIR},
		{"x.tar/y", PX_SINK_DIR},
		{"x.tar.gz.x", PX_SINK_DIR},
		{"x.gz", PX_SINK_DIR},
		{"x.zst", PX_SINK_DIR},
		{"x.tar.xz", PX_SINK_DIR},
		{"x.ZIP", PX_SINK_DIR},
		{"x.Tar", PX_SINK_DIR},
		{"xzip", PX_SINK_DIR},
		{"x.zip ", PX_SINK_DIR},
		{"-", PX_SINK_DIR},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++)
		if (px_sink_format(rows[i].dest) != rows[i].format)
			fail_msg("\"%s\"", rows[i].dest);
}

static void test_unknown_endings(void **state PX_UNUSED)
{
	static const struct {
		const char *dest;
		const char *ending; /* NULL: none that is unknown */
	} rows[] = {
		{"x.tar.xz", ".tar.xz"},
		{"/a.b/x.TAR.BZ2", ".TAR.BZ2"},
		{"x.zip.7z", ".7z"},
		{"x.whl", ".whl"},
		{"x.gz", ".gz"},
		{".tar.gz", ".gz"},
		/* Those that are known are so in small letters only. */
		{"x.ZIP", ".ZIP"},
		{"x.Tar.gz", ".Tar.gz"},
		{"x.tar.GZ", ".tar.GZ"},
		{"x.tar", NULL},
		{"x.tar.zst", NULL},
		{"x.zip", NULL},
		{"x.tar.xz/", NULL},
		{"x.tar.xz/y", NULL},
		{".xz", NULL},
		{"a/.tar", NULL},
		{"python3.12", NULL},
		{"site-packages", NULL},
		{"numpy.egg", NULL},
		{"x.tar.d", NULL},
		{"x.", NULL},
		{"xz", NULL},
		{"", NULL},
		{"/", NULL},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		const char *got = px_sink_unknown_ending(rows[i].dest);

		if (!got != !rows[i].ending ||
		    (got && strcmp(got, rows[i].ending) != 0))
			fail_msg("\"%s\": %s", rows[i].dest,
				 got ? got : "none");
	}
}

static void test_prefixes(void **state PX_UNUSED)
{
	static const char *const good[] = {
		"a",   "a/b", "python/lib/python3.12/site-packages",
		"...", ".a",  "..a/b..",
		" ",   "-",
	};
	static const char *const bad[] = {
		"",   "/",    "/a",   "a/",   "a//b",  ".",
		"..", "./a",  "../a", "a/.",  "a/..",  "a/./b",
		"//", "a/b/", "./",   "../.", "a/../b"};

	for (size_t i = 0; i < PX_ARRAY_LEN(good); i++)
		if (px_export_check_prefix(good[i]) != 0)
			fail_msg("\"%s\" is refused", good[i]);
	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++)
		if (px_export_check_prefix(bad[i]) != -EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
}

/* ------------------------------------------------------------- a directory */

static struct stat stat_of(struct fixture *f, const char *path)
{
	struct stat st;

	if (fstatat(f->top, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static void check_stat(struct fixture *f, const char *path, mode_t mode, int n)
{
	const struct stat st = stat_of(f, path);

	if (st.st_mode != mode)
		fail_msg("%s: mode %o", path, st.st_mode);
	if (st.st_mtim.tv_sec != EPOCH + n || st.st_mtim.tv_nsec != 0)
		fail_msg("%s: time %lld", path, (long long)st.st_mtim.tv_sec);
}

static void check_dir(struct fixture *f)
{
	char target[10] = "";

	check_names(f, "out ");
	check_stat(f, "out", S_IFDIR | 0750, 0);
	check_stat(f, "out/a", S_IFDIR | 0555, 1);
	check_stat(f, "out/a-b", S_IFREG | 0640, 2);
	check_stat(f, "out/a/f", S_IFREG | 0640, 2);
	check_stat(f, "out/a/sub", S_IFDIR | 0500, 3);
	check_stat(f, "out/a/sub/deep", S_IFREG | 0400, 4);
	check_stat(f, "out/b", S_IFLNK | 0777, 6);
	check_stat(f, "out/empty", S_IFDIR | 0700, 7);
	check_stat(f, "out/none", S_IFREG | 0000, 8);
	check_text(f, "out/a-b", "hello");
	check_text(f, "out/a/f", "hello");
	check_text(f, "out/a/sub/deep", "xxx");
	assert_int_equal(stat_of(f, "out/none").st_size, 0);
	assert_int_equal(readlinkat(f->top, "out/b", target, 9), 3);
	assert_string_equal(target, "a/f");
}

static void test_dir(void **state)
{
	struct fixture *f = *state;
	struct px_sink *s = start(f, "out", false);
	struct px_sink_result result;
	struct px_why why;

	umask(0077);
	check_names(f, ".out.pycfs-* ");
	put_all(s, false);
	memset(&result, 0xff, sizeof(result));
	assert_int_equal(px_sink_finish(s, &result), 0);
	assert_true(result.bytes == 0);
	check_names(f, ".out.pycfs-* ");
	assert_int_equal(px_sink_commit(s, &why), 0);
	px_sink_free(s);
	check_dir(f);
	assert_true(stat_of(f, "out/a-b").st_ino !=
		    stat_of(f, "out/a/f").st_ino);
}

static void test_hard_links(void **state)
{
	struct fixture *f = *state;
	struct px_sink *s = start(f, "out", false);

	put_all(s, true);
	commit(s);
	check_dir(f);
	assert_true(stat_of(f, "out/a-b").st_ino ==
		    stat_of(f, "out/a/f").st_ino);
	assert_int_equal(stat_of(f, "out/a-b").st_nlink, 2);
}

static void test_an_empty_directory_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct px_sink *s;

	assert_int_equal(mkdirat(f->top, "out", 0755), 0);
	s = start(f, "out///", false);
	put_all(s, false);
	commit(s);
	check_dir(f);
}

static void test_a_directory_that_fills_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct px_sink_result result;
	struct px_why why;
	struct px_sink *s;

	assert_int_equal(mkdirat(f->top, "out", 0755), 0);
	s = start(f, "out", false);
	put_all(s, false);
	assert_int_equal(px_sink_finish(s, &result), 0);
	write_text(f, "out/theirs", "x");
	*why.text = '\0';
	assert_true(px_sink_commit(s, &why) < 0);
	assert_non_null(strstr(why.text, "no longer empty"));
	px_sink_free(s);
	check_names(f, "out ");
	check_text(f, "out/theirs", "x");
	assert_false(is_there(f, "out/a"));
}

static void test_force(void **state)
{
	struct fixture *f = *state;
	struct px_sink *s;
	ino_t old;

	assert_int_equal(mkdirat(f->top, "out", 0755), 0);
	assert_int_equal(mkdirat(f->top, "out/old", 0755), 0);
	write_text(f, "out/old/file", "x");
	assert_int_equal(fchmodat(f->top, "out/old", 0500, 0), 0);
	old = stat_of(f, "out").st_ino;
	refuse(f, "out", false, -EEXIST, "--force");
	s = start(f, "out", true);
	put_all(s, false);
	check_names(f, ".out.pycfs-* out ");
	assert_true(stat_of(f, "out").st_ino == old);
	check_text(f, "out/old/file", "x");
	commit(s);
	check_dir(f);
	assert_false(is_there(f, "out/old"));
}

/* ---------------------------------------------------------------- archives */

static void check_archive(struct fixture *f, const char *name, bool links)
{
	struct archive *a = open_archive(f, name);

	check_entry(a, "a-b", AE_IFREG | 0640, 2, "hello");
	check_entry(a, "a/", AE_IFDIR | 0555, 1, "");
	check_entry(a, "a/f", AE_IFREG | 0640, 2, links ? "=a-b" : "hello");
	check_entry(a, "a/sub/", AE_IFDIR | 0500, 3, "");
	check_entry(a, "a/sub/deep", AE_IFREG | 0400, 4, "xxx");
	check_entry(a, "b", AE_IFLNK | 0777, 6, ">a/f");
	check_entry(a, "empty/", AE_IFDIR | 0700, 7, "");
	check_entry(a, "none", AE_IFREG | 0000, 8, "");
	check_end(a);
}

static const char *const archives[] = {"out.tar", "out.tar.gz", "out.tar.zst",
				       "out.zip"};
#define ZIP 3

static void digest_of(struct fixture *f, const char *name,
		      uint8_t ret[PX_SHA256_SIZE], uint64_t *ret_bytes)
{
	PX_AUTOCLOSE int fd = openat(f->top, name, O_RDONLY | O_CLOEXEC);
	struct px_sha256 sha;
	uint8_t data[4096];
	ssize_t n;

	*ret_bytes = 0;
	px_sha256_init(&sha);
	while ((n = px_read_full(fd, data, sizeof(data))) > 0) {
		px_sha256_update(&sha, data, (size_t)n);
		*ret_bytes += (uint64_t)n;
	}
	assert_int_equal(n, 0);
	px_sha256_final(&sha, ret);
}

static void check_archives(struct fixture *f, bool links)
{
	uint8_t of_tar[PX_SHA256_SIZE], of_file[PX_SHA256_SIZE];
	uint64_t n;

	for (size_t i = 0; i < PX_ARRAY_LEN(archives) - links; i++) {
		struct px_sink *s = start(f, archives[i], false);
		char names[100];
		struct px_sink_result result;

		put_all(s, links);
		snprintf(names, sizeof(names), ".%s.pycfs-* ", archives[i]);
		check_names(f, names);
		result = commit(s);
		snprintf(names, sizeof(names), "%s ", archives[i]);
		check_names(f, names);
		check_archive(f, archives[i], links);
		digest_of(f, archives[i], of_file, &n);
		if (i == 0)
			memcpy(of_tar, of_file, sizeof(of_tar));
		assert_true(result.bytes == n);
		assert_memory_equal(result.sha256, of_file, sizeof(of_file));
		if (i != ZIP)
			assert_memory_equal(result.diff_id, of_tar,
					    sizeof(of_tar));
		assert_int_equal(stat_of(f, archives[i]).st_mode,
				 S_IFREG | 0644);
		unlinkat(f->top, archives[i], 0);
	}
}

static void test_archives(void **state)
{
	check_archives(*state, false);
}

static void test_archives_with_links(void **state)
{
	check_archives(*state, true);
}

/* What was there is whole until the new one takes its place. */
static void test_an_archive_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct px_sink *s;

	umask(0027);
	write_text(f, "out.tar", "old");
	assert_int_equal(linkat(f->top, "out.tar", f->top, "other", 0), 0);
	s = start(f, "out.tar", false);
	put_all(s, false);
	check_text(f, "out.tar", "old");
	commit(s);
	check_names(f, "other out.tar ");
	check_text(f, "other", "old");
	check_archive(f, "out.tar", false);
	assert_int_equal(stat_of(f, "out.tar").st_mode, S_IFREG | 0640);
}

/* A tar on somebody's descriptor, which stays open; no directory is touched. */
static void test_a_descriptor(void **state)
{
	struct fixture *f = *state;
	const int fd = openat(f->top, "mine",
			      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	const struct px_sink_options o = {.dest = "-", .fd = fd};
	uint8_t digest[PX_SHA256_SIZE];
	struct px_sink_result result;
	struct px_why why;
	struct px_sink *s;
	uint64_t n;

	assert_int_equal(px_sink_open(&o, &s, &why), 0);
	put_all(s, true);
	result = commit(s);
	check_names(f, "mine ");
	check_archive(f, "mine", true);
	digest_of(f, "mine", digest, &n);
	assert_true(result.bytes == n);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

/* The times, owners and sizes that need pax headers, and long names. */
static void test_wide_values(void **state)
{
	struct fixture *f = *state;
	struct px_attr a = attr_of(PX_KIND_MODULE, 04755, 0, 1);
	struct archive *in;
	struct archive_entry *e;
	struct px_sink *s = start(f, "out.tar", false);
	char name[PATH_MAX];

	memset(name, 'n', 3000);
	name[3000] = '\0';
	for (size_t i = 200; i < 3000; i += 200)
		name[i] = '/';
	a.uid = a.gid = 4294967294u;
	a.mtime = 4294967295;
	assert_int_equal(put(s, name, &a, "x"), 0);
	commit(s);
	in = open_archive(f, "out.tar");
	assert_int_equal(archive_read_next_header(in, &e), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(e), name);
	assert_true(archive_entry_uid(e) == 4294967294);
	assert_true(archive_entry_gid(e) == 4294967294);
	assert_true(archive_entry_mtime(e) == 4294967295);
	assert_int_equal(archive_entry_perm(e), 04755);
	check_end(in);
}

static void test_names_that_are_not_utf8(void **state)
{
	static const char *const bad[] = {
		"caf\xe9",	"\xc3",
		"a\x80",	"\xc0\xaf",
		"\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xe2\x82",	"\xf8\x88\x80\x80",
		"\xe0\x9f\xbf", "\xf0\x8f\xbf",
		"\xff",
	};
	static const char *const good[] = {
		"caf\xc3\xa9", "\xe2\x82\xac", "\xed\x9f\xbf\xee\x80\x80",
		"\xf0\x9f\x90\x8d", "\xf4\x8f\xbf\xbf"};
	const struct px_attr file = attr_of(PX_KIND_FILE, 0644, 0, 0);
	const struct px_attr link = attr_of(PX_KIND_LINK, 0777, 0, 0);
	struct fixture *f = *state;

	for (size_t k = 0; k < PX_ARRAY_LEN(archives); k++) {
		struct px_sink *s = start(f, archives[k], false);
		const int wanted = k == ZIP ? -EILSEQ : 0;

		for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
			assert_int_equal(put(s, bad[i], &file, ""), wanted);
			assert_int_equal(put(s, "x", &link, bad[i]), wanted);
		}
		for (size_t i = 0; i < PX_ARRAY_LEN(good); i++) {
			assert_int_equal(put(s, good[i], &file, ""), 0);
			assert_int_equal(put(s, "x", &link, good[i]), 0);
		}
		if (k != ZIP) {
			struct archive *a;
			struct archive_entry *e;

			commit(s);
			a = open_archive(f, archives[k]);
			for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
				archive_read_next_header(a, &e);
				assert_string_equal(archive_entry_pathname(e),
						    bad[i]);
				archive_read_next_header(a, &e);
				assert_string_equal(archive_entry_symlink(e),
						    bad[i]);
			}
			archive_read_free(a);
		} else {
			px_sink_free(s);
		}
		unlinkat(f->top, archives[k], 0);
	}
	check_names(f, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_unknown_endings),
		cmocka_unit_test(test_prefixes),
		TEST(test_dir),
		TEST(test_hard_links),
		TEST(test_an_empty_directory_is_replaced),
		TEST(test_a_directory_that_fills_meanwhile),
		TEST(test_force),
		TEST(test_archives),
		TEST(test_archives_with_links),
		TEST(test_an_archive_is_replaced),
		TEST(test_a_descriptor),
		TEST(test_wide_values),
		TEST(test_names_that_are_not_utf8),
	};

	/* As the export has it for zip, whose times are local. */
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
