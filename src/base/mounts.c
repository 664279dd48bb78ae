/* SPDX-License-Identifier: MIT */
#include "pycfs/mounts.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* From Linux 6.8, include/uapi/linux/stat.h. */
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif
/* The offset of stx_mnt_id in struct statx, in bytes (comment "0x90" in the
 * same header). Older C libraries do not declare this member. */
#define STATX_MNT_ID_AT 0x90

/* With AT_STATX_DONT_SYNC the kernel answers from its cache, without a request
 * to the file system. The other flags keep it from following symlinks and from
 * triggering automounts. */
#define UNASKED (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC)

/* Decodes the \ooo escapes of mountinfo in place (Linux,
 * Documentation/filesystems/proc.rst, section 3.5). */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 +
				       (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Returns the next field at *at, NUL-terminated in place, and moves *at to the
 * one after it. Fields are separated by single spaces. */
static char *cut_field(char **at)
{
	char *field = *at;
	const size_t n = strcspn(field, " \n");

	*at = field[n] ? field + n + 1 : field + n;
	field[n] = '\0';
	return field;
}

/* Parses a line of the form "ID PARENT MAJOR:MINOR ROOT PATH OPTIONS [TAG...] -
 * TYPE SOURCE OPTIONS", which it modifies. Returns false if the line has
 * another form. */
static bool parse_line(char *line, struct px_mount *ret)
{
	char *dash = strstr(line, " - "), *device, *path, *source;
	unsigned major, minor;

	if (!dash)
		return false;
	*dash = '\0';
	dash += 3;
	ret->id = (int)strtol(cut_field(&line), NULL, 10);
	cut_field(&line);
	device = cut_field(&line);
	cut_field(&line);
	path = cut_field(&line);
	major = (unsigned)strtoul(device, &device, 10);
	if (*device != ':')
		return false;
	minor = (unsigned)strtoul(device + 1, NULL, 10);
	ret->is_pycfs = strcmp(cut_field(&dash), PX_MOUNT_TYPE) == 0;
	source = cut_field(&dash);
	unescape(path);
	unescape(source);
	ret->minor = minor;
	ret->dev = makedev(major, minor);
	ret->path = path;
	ret->source = source;
	return true;
}

int px_mounts_each(int (*visit)(void *arg, const struct px_mount *m), void *arg)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	PX_AUTOFREE char *line = NULL;
	struct px_mount m;
	size_t size = 0;
	int r = 0;

	if (!f)
		return -errno;
	while (r == 0 && getline(&line, &size, f) > 0)
		if (parse_line(line, &m))
			r = visit(arg, &m);
	fclose(f);
	return r;
}

static int has_device(void *arg, const struct px_mount *m)
{
	return m->is_pycfs && m->dev == *(const dev_t *)arg;
}

int px_mounts_is_pycfs(dev_t dev)
{
	/* pycfs mounts have no block device and therefore major number 0. For
	 * any other number mountinfo need not be read. */
	return major(dev) == 0 ? px_mounts_each(has_device, &dev) : 0;
}

/* Reads the mount id from /proc/self/fdinfo, which has had a line "mnt_id:"
 * since Linux 3.15. */
static int id_of(int fd)
{
	char path[48], text[512], *at;
	PX_AUTOCLOSE int info = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -errno;
	n = px_read_full(info, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	at = strstr(text, "mnt_id:");
	return at ? (int)strtol(at + strlen("mnt_id:"), NULL, 10) : -ENODATA;
}

/* By number, as C libraries know statx(2) since glibc 2.28 and musl 1.2.4. */
static int ask(int dirfd, const char *name, unsigned mask, struct statx *ret)
{
	const int flags = UNASKED | (*name ? 0 : AT_EMPTY_PATH);

	return syscall(SYS_statx, dirfd, name, flags, mask, ret) < 0 ? -errno
								     : 0;
}

int px_mount_id_of(int fd, struct px_mount_id *ret)
{
	struct statx st;
	int r = id_of(fd);

	if (r < 0)
		return r;
	*ret = (struct px_mount_id){.id = r};
	if (ask(fd, "", STATX_MNT_ID_UNIQUE, &st) == 0 &&
	    (st.stx_mask & STATX_MNT_ID_UNIQUE))
		memcpy(&ret->unique, (const char *)&st + STATX_MNT_ID_AT,
		       sizeof(ret->unique));
	return 0;
}

bool px_mount_id_equal(const struct px_mount_id *a, const struct px_mount_id *b)
{
	return a->id == b->id && a->unique == b->unique;
}

int px_mounts_device(int dirfd, const char *name, dev_t *ret)
{
	struct statx st;
	int r = ask(dirfd, name, 0, &st);

	if (r < 0)
		return r;
	*ret = makedev(st.stx_dev_major, st.stx_dev_minor);
	return 0;
}
