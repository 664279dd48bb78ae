/* SPDX-License-Identifier: MIT */
#include "sink_unit.h"

#define CHUNK ((uint64_t)1 << 18)

/* Files that have not the size they had: one byte less and one more, none at
 * all, and about what is read at a time. */
static void test_files_that_change(void **state)
{
	static const struct {
		uint64_t says, has;
		int wanted;
	} rows[] = {
		{0, 0, 0},
		{10, 10, 0},
		{10, 9, -ESTALE},
		{10, 11, -ESTALE},
		{10, 0, -ESTALE},
		{0, 1, -ESTALE},
		{CHUNK, CHUNK, 0},
		{CHUNK, CHUNK + 1, -ESTALE},
		{CHUNK, CHUNK - 1, -ESTALE},
		{CHUNK + 1, CHUNK, -ESTALE},
		{CHUNK, 2 * CHUNK, -ESTALE},
		{4 * CHUNK, 4 * CHUNK, 0},
		{4 * CHUNK, 4 * CHUNK + 1, -ESTALE},
		{4 * CHUNK + 1, 4 * CHUNK, -ESTALE},
		{5 * CHUNK + 7, 5 * CHUNK + 7, 0},
	};
	static const char *const dests[] = {"out", "out.tar", "out.tar.gz",
					    "out.zip"};
	struct fixture *f = *state;

	for (size_t k = 0; k < PX_ARRAY_LEN(dests); k++)
		for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
			struct px_sink *s = start(f, dests[k], false);
			int r;

			put_dir(s, "", 0755, 0);
			r = put_fd(s, "x", rows[i].says, file_of(rows[i].has));
			if (r != rows[i].wanted)
				fail_msg("%s, row %zu: %d", dests[k], i, r);
			px_sink_free(s);
			check_names(f, "");
		}
}

/* Whenever it is given up, what was there is there, and nothing else. */
static void test_abort(void **state)
{
	static const char *const dests[] = {"out", "out.tar", "out.tar.gz",
					    "out.tar.zst", "out.zip"};
	struct fixture *f = *state;

	for (size_t k = 0; k < PX_ARRAY_LEN(dests); k++)
		for (int step = 0; step < 6; step++) {
			struct px_sink_result result;
			struct px_sink *s;
			char names[40];

			if (step == 3 && k > 0)
				write_text(f, dests[k], "old");
			if (step == 3 && k == 0)
				mkdirat(f->top, "out", 0755);
			s = start(f, dests[k], false);
			if (step % 3 > 0)
				put_all(s, false);
			if (step % 3 > 1)
				assert_int_equal(px_sink_finish(s, &result), 0);
			px_sink_free(s);
			snprintf(names, sizeof(names), "%s%s",
				 step < 3 ? "" : dests[k], step < 3 ? "" : " ");
			check_names(f, names);
			if (step >= 3 && k > 0)
				check_text(f, dests[k], "old");
			if (step == 5)
				remove_tree(f->top, dests[k]);
		}
	px_sink_free(NULL);
}

/* What is cut off on a descriptor does not look whole. */
static void test_abort_on_a_descriptor(void **state)
{
	struct fixture *f = *state;
	const int fd =
		openat(f->top, "mine", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	const struct px_sink_options o = {.dest = "-", .fd = fd};
	const struct px_attr a = attr_of(PX_KIND_FILE, 0644, 0, 5 * CHUNK);
	char *data = calloc(1, 5 * CHUNK);
	struct px_why why;
	struct px_sink *s;

	assert_true(fd >= 0 && data);
	assert_int_equal(px_sink_open(&o, &s, &why), 0);
	put_all(s, false);
	px_sink_free(s);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	assert_int_equal(px_sink_open(&o, &s, &why), 0);
	assert_int_equal(put(s, "x", &a, data), 0);
	px_sink_free(s);
	assert_true((uint64_t)lseek(fd, 0, SEEK_END) <= 5 * CHUNK);
	check_names(f, "mine ");
	free(data);
	close(fd);
}

static void test_a_full_disk(void **state PX_UNUSED)
{
	const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	const struct px_sink_options o = {.dest = "-", .fd = fd};
	const struct px_attr a = attr_of(PX_KIND_FILE, 0644, 0, 8 * CHUNK);
	char *data = calloc(1, 8 * CHUNK);
	struct px_sink_result result;
	struct px_why why;
	struct px_sink *s;

	assert_true(fd >= 0 && data);
	assert_int_equal(px_sink_open(&o, &s, &why), 0);
	assert_int_equal(put(s, "x", &a, data), -ENOSPC);
	px_sink_free(s);
	/* Or only when what is left is written. */
	assert_int_equal(px_sink_open(&o, &s, &why), 0);
	put_text(s, "x", 0644, 0, "x");
	assert_int_equal(px_sink_finish(s, &result), -ENOSPC);
	px_sink_free(s);
	free(data);
	close(fd);
}

static void test_places_that_cannot_be_used(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 2];

	write_text(f, "file", "x");
	write_text(f, "dir.zip", "x");
	assert_int_equal(unlinkat(f->top, "dir.zip", 0), 0);
	assert_int_equal(mkdirat(f->top, "dir.zip", 0755), 0);
	assert_int_equal(mkdirat(f->top, "empty", 0755), 0);
	assert_int_equal(symlinkat("empty", f->top, "link"), 0);
	assert_int_equal(symlinkat("file", f->top, "link.tar"), 0);
	assert_int_equal(symlinkat("none", f->top, "dangling"), 0);
	for (int force = 0; force < 2; force++) {
		refuse(f, "file", force, -EEXIST, "not a directory");
		refuse(f, "link", force, -EEXIST, "not a directory");
		refuse(f, "dangling", force, -EEXIST, "not a directory");
		refuse(f, "dir.zip", force, -EEXIST, "not a regular file");
		refuse(f, "link.tar", force, -EEXIST, "not a regular file");
		refuse(f, "missing/../out", force, -ENOENT, "missing");
		refuse(f, "dangling/out", force, -ENOTDIR, "dangling");
		refuse(f, "file/out", force, -ENOTDIR, "file");
		refuse(f, ".", force, -EINVAL, "name of its own");
		refuse(f, "empty/..", force, -EINVAL, "name of its own");
		refuse(f, "empty/.", force, -EINVAL, "name of its own");
	}
	/* The temporary name is the longest there may be, or one longer. */
	memset(name, 'n', sizeof(name));
	name[NAME_MAX - 14] = '\0';
	px_sink_free(start(f, name, false));
	name[NAME_MAX - 14] = 'n';
	name[NAME_MAX - 13] = '\0';
	refuse(f, name, false, -ENAMETOOLONG, "too long");
	name[NAME_MAX - 13] = 'n';
	name[NAME_MAX] = '\0';
	refuse(f, name, false, -ENAMETOOLONG, "too long");
	check_names(f, "dangling dir.zip empty file link link.tar ");
}

/* ---------------------------------------------------------------- leftovers */

static void test_leftovers_are_swept(void **state)
{
	struct fixture *f = *state;

	write_text(f, ".out.pycfs-abcdef", "a file of a killed one");
	assert_int_equal(mkdirat(f->top, ".out.pycfs-234567", 0700), 0);
	assert_int_equal(mkdirat(f->top, ".out.pycfs-234567/d", 0700), 0);
	write_text(f, ".out.pycfs-234567/d/file", "x");
	assert_int_equal(fchmodat(f->top, ".out.pycfs-234567/d", 0, 0), 0);
	assert_int_equal(symlinkat("/", f->top, ".out.pycfs-234567/link"), 0);
	write_text(f, ".out.zip.pycfs-abcdef", "of another destination");
	px_sink_free(start(f, "out", false));
	check_names(f, ".out.zip.pycfs-* ");
	px_sink_free(start(f, "out.zip", false));
	check_names(f, "");
}

/* As long as its process lives it is locked. */
static void test_others_at_work_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct px_sink *one = start(f, "out", false);
	struct px_sink *two = start(f, "out", false);
	struct px_sink *zip = start(f, "out.zip", false);
	struct px_sink *other = start(f, "out.zip", false);
	uint64_t n;

	check_names(f, ".out.pycfs-* .out.pycfs-* .out.zip.pycfs-* "
		       ".out.zip.pycfs-* ");
	put_all(one, false);
	commit(one);
	put_all(zip, false);
	n = commit(zip).bytes;
	assert_int_equal(unlinkat(f->top, "out.zip", 0), 0);
	put_all(other, false);
	assert_true(commit(other).bytes == n);
	check_names(f, ".out.pycfs-* out out.zip ");
	px_sink_free(two);
	check_names(f, "out out.zip ");
	check_text(f, "out/a/f", "hello");
}

static void test_what_looks_similar_is_left_alone(void **state)
{
	static const char *const names[] = {
		"out.pycfs-abcdef",   ".out.pycfs-abcde",
		".out.pycfs-abcdefg", ".out.pycfs_abcdef",
		".out.pycfs-",	      ".outpycfs-abcdef",
		".other.pycfs-abcde", ".Out.pycfs-abcdef",
		"..out.pycfs-abcdef", ".out.pycfs-abcdef.zip",
		".out.pycfs-ABCDEF",  ".out.pycfs-abc-ef",
		".out.pycfs-2024.1",  ".out.pycfs-abcde1",
	};
	struct fixture *f = *state;
	const char *const taken = ".out.pycfs-aaaaaa";
	struct px_sink *s;

	for (size_t i = 0; i < PX_ARRAY_LEN(names); i++)
		write_text(f, names[i], "mine");
	/* What no export makes, though it has such a name. */
	assert_int_equal(symlinkat("file", f->top, taken), 0);
	assert_int_equal(mkfifoat(f->top, ".out.pycfs-bbbbbb", 0600), 0);
	s = start(f, "out", false);
	px_sink_free(s);
	for (size_t i = 0; i < PX_ARRAY_LEN(names); i++)
		if (!is_there(f, names[i]))
			fail_msg("%s is gone", names[i]);
	assert_true(is_there(f, taken));
	assert_true(is_there(f, ".out.pycfs-bbbbbb"));
}

/* ---------------------------------------------------------- exchanged places
 */

/* "TEMPORARY/name" of the export to "out". */
static void temp_path(struct fixture *f, const char *name, char ret[400])
{
	DIR *dir = fdopendir(dup(f->top));
	const struct dirent *e;

	*ret = '\0';
	rewinddir(dir);
	while ((e = readdir(dir)))
		if (strstr(e->d_name, ".out.pycfs-"))
			snprintf(ret, 400, "%.200s/%s", e->d_name, name);
	closedir(dir);
	assert_true(*ret != '\0');
}

/* A link in place of a directory leads nothing out of the export. */
static void test_no_link_is_followed(void **state)
{
	const struct px_attr a = attr_of(PX_KIND_MODULE, 0644, 2, 5);
	const struct px_attr l = attr_of(PX_KIND_LINK, 0777, 2, 1);
	const struct px_sink_entry hard = {
		.path = "g", .attr = &a, .target = "a/f", .hardlink = true};
	struct fixture *f = *state;
	struct px_sink_result result;
	struct px_sink *s;
	char path[400];
	struct stat st;

	assert_int_equal(mkdirat(f->top, "theirs", 0700), 0);
	s = start(f, "out", false);
	put_dir(s, "", 0755, 0);
	put_dir(s, "a", 0755, 1);
	temp_path(f, "a", path);
	assert_int_equal(renameat(f->top, path, f->top, "moved"), 0);
	assert_int_equal(symlinkat("../theirs", f->top, path), 0);
	put_text(s, "a/f", 0644, 2, "hello");
	put_dir(s, "a/d", 0755, 2);
	assert_int_equal(put(s, "a/l", &l, "x"), 0);
	assert_true(is_there(f, "moved/f") && is_there(f, "moved/d"));
	write_text(f, "theirs/f", "x");
	assert_int_equal(px_sink_put(s, &hard, NULL), -ENOTDIR);
	assert_int_equal(px_sink_finish(s, &result), 0);
	px_sink_free(s);
	assert_int_equal(fstatat(f->top, "theirs", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(unlinkat(f->top, "theirs/f", 0), 0);
	assert_int_equal(unlinkat(f->top, "theirs", AT_REMOVEDIR), 0);
	check_names(f, "moved ");
}

/* Nor does a directory that was moved lead up to another one than its own. */
static void test_no_other_parent_is_taken(void **state)
{
	struct fixture *f = *state;
	const struct px_attr a = attr_of(PX_KIND_MODULE, 0644, 2, 1);
	struct px_sink *s = start(f, "out", false);
	char path[400];

	put_dir(s, "", 0755, 0);
	put_dir(s, "a", 0755, 1);
	put_dir(s, "a/d", 0755, 1);
	temp_path(f, "a/d", path);
	assert_int_equal(mkdirat(f->top, "theirs", 0700), 0);
	assert_int_equal(renameat(f->top, path, f->top, "theirs/d"), 0);
	assert_int_equal(put(s, "a/f", &a, "x"), -ENOTDIR);
	px_sink_free(s);
	assert_false(is_there(f, "theirs/f"));
	check_names(f, "theirs ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files_that_change),
		TEST(test_abort),
		TEST(test_abort_on_a_descriptor),
		TEST(test_a_full_disk),
		TEST(test_places_that_cannot_be_used),
		TEST(test_leftovers_are_swept),
		TEST(test_others_at_work_are_left_alone),
		TEST(test_what_looks_similar_is_left_alone),
		TEST(test_no_link_is_followed),
		TEST(test_no_other_parent_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
