/* SPDX-License-Identifier: MIT */
#include "shelf.h"

#include "pycfs/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#define CHUNK	  (1u << 20) /* bytes read at a time */
#define NAME_SIZE (2 * PX_DIGEST_SIZE + 1)
#define DAY	  86400

static void name_of(const uint8_t digest[PX_DIGEST_SIZE], char ret[NAME_SIZE])
{
	for (int i = 0; i < PX_DIGEST_SIZE; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static bool is_name(const char *name)
{
	return strlen(name) == NAME_SIZE - 1 &&
	       strspn(name, "0123456789abcdef") == NAME_SIZE - 1;
}

/* Only we may write there: who can puts code into the image. */
static bool is_ours(const struct stat *st, mode_t type)
{
	return (st->st_mode & S_IFMT) == type && st->st_uid == geteuid() &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* Opens the directory if it is there, and makes it first if it is to be. */
static void open_dir(struct px_shelf *s, bool make)
{
	PX_AUTOCLOSE int fd = -1;
	struct stat st;

	if (s->parent < 0)
		return;
	pthread_mutex_lock(&s->lock);
	if (make && s->fd < 0)
		(void)mkdirat(s->parent, PX_SHELF_DIR, 0700);
	if (s->fd < 0)
		fd = openat(s->parent, PX_SHELF_DIR,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && is_ours(&st, S_IFDIR))
		s->fd = px_steal_fd(&fd);
	pthread_mutex_unlock(&s->lock);
}

void px_shelf_open(struct px_shelf *s, int dir_fd, uint64_t max_bytes)
{
	*s = (struct px_shelf){
		.parent = dir_fd, .fd = -1, .max_bytes = max_bytes};
	pthread_mutex_init(&s->lock, NULL);
	open_dir(s, false);
}

void px_shelf_close(struct px_shelf *s)
{
	if (s->fd >= 0)
		close(s->fd);
	px_set_fini(&s->seen);
	pthread_mutex_destroy(&s->lock);
}

/* The digest of all bytes of a file; `to` is written a copy, unless it is -1.
 */
static int digest_of(int fd, int to, uint8_t ret[PX_DIGEST_SIZE])
{
	PX_AUTOFREE uint8_t *chunk = malloc(CHUNK);
	struct px_digest d;
	off_t at = 0;
	ssize_t n;
	int r = 0;

	if (!chunk)
		return -ENOMEM;
	px_digest_init(&d);
	do {
		n = px_pread_full(fd, chunk, CHUNK, at);
		if (n < 0)
			return (int)n;
		at += n;
		px_digest_field(&d, "bytes", chunk, (size_t)n);
		if (to >= 0)
			r = px_write_full(to, chunk, (size_t)n);
	} while (n == CHUNK && r == 0);
	px_digest_final(&d, ret);
	return r;
}

int px_shelf_name(int fd, uint8_t ret[PX_DIGEST_SIZE])
{
	return digest_of(fd, -1, ret);
}

static uint64_t identity_of(const struct stat *st)
{
	const int64_t id[] = {(int64_t)st->st_ino, st->st_size,
			      st->st_ctim.tv_sec, st->st_ctim.tv_nsec};

	return px_hash64(0, id, sizeof(id)) | 1;
}

/* Whether this process has read this very file before. */
static bool was_seen(struct px_shelf *s, const struct stat *st)
{
	bool seen;

	pthread_mutex_lock(&s->lock);
	seen = px_set_has(&s->seen, identity_of(st));
	pthread_mutex_unlock(&s->lock);
	return seen;
}

static void see(struct px_shelf *s, const struct stat *st)
{
	pthread_mutex_lock(&s->lock);
	px_set_add(&s->seen, identity_of(st));
	pthread_mutex_unlock(&s->lock);
}

/* Opens a file that is ours alone. Its atime becomes now if it is another
 * day's; that changes its ctime, so it comes before `st` is taken. */
static int open_ours(struct px_shelf *s, const char *name, bool use,
		     int *ret_fd, struct stat *st)
{
	const struct timespec now[2] = {{.tv_nsec = UTIME_NOW},
					{.tv_nsec = UTIME_OMIT}};
	PX_AUTOCLOSE int fd = openat(
		s->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0)
		return -errno;
	if (!is_ours(st, S_IFREG))
		return -EBADMSG;
	if (use && llabs((long long)(time(NULL) - st->st_atime)) >= DAY &&
	    (futimens(fd, now) < 0 || fstat(fd, st) < 0))
		return -errno;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

int px_shelf_find(struct px_shelf *s, const uint8_t name[PX_DIGEST_SIZE],
		  int *ret_fd)
{
	PX_AUTOCLOSE int fd = -1;
	uint8_t digest[PX_DIGEST_SIZE];
	char text[NAME_SIZE];
	struct stat st;
	int r;

	if (s->fd < 0)
		return -ENOENT;
	name_of(name, text);
	r = open_ours(s, text, true, &fd, &st);
	if (r == 0 && !was_seen(s, &st)) {
		r = digest_of(fd, -1, digest);
		if (r == 0 && memcmp(digest, name, sizeof(digest)) != 0)
			r = -EBADMSG;
		if (r == 0)
			see(s, &st);
	}
	if (r == -EBADMSG)
		unlinkat(s->fd, text, 0);
	if (r < 0)
		return r == -ENOMEM || r == -EBADMSG ? r : -ENOENT;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

/* ------------------------------------------------------------ all of them */

struct old {
	char name[NAME_SIZE];
	uint64_t bytes;
	int64_t used; /* seconds since 1970 */
};

struct list {
	struct old *all;
	size_t n, capacity;
	uint64_t bytes;
};

static void list_fini(struct list *l)
{
	free(l->all);
}

static int add(struct list *l, const char *name, const struct stat *st)
{
	struct old *o;

	if (l->n == l->capacity) {
		const size_t more = l->capacity ? l->capacity * 2 : 64;

		o = reallocarray(l->all, more, sizeof(*o));
		if (!o)
			return -ENOMEM;
		l->all = o;
		l->capacity = more;
	}
	o = &l->all[l->n++];
	memcpy(o->name, name, NAME_SIZE);
	o->bytes = (uint64_t)st->st_size;
	o->used = st->st_atime;
	l->bytes += o->bytes;
	return 0;
}

/* Lists the files. One that somebody began to write more than a day ago is
 * deleted. */
static int list(struct px_shelf *s, struct list *ret)
{
	const int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int r = dir ? 0 : -errno;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(dir))) {
		struct stat st;

		if (fstatat(s->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (is_name(e->d_name))
			r = add(ret, e->d_name, &st);
		else if (e->d_name[0] == '.' && time(NULL) - st.st_mtime > DAY)
			unlinkat(s->fd, e->d_name, 0);
	}
	closedir(dir);
	return r;
}

static int compare_use(const void *a, const void *b)
{
	const struct old *x = a, *y = b;

	return x->used != y->used ? (x->used > y->used) - (x->used < y->used)
				  : strcmp(x->name, y->name);
}

int px_shelf_count(struct px_shelf *s, struct px_shelf_sum *ret)
{
	PX_AUTO(list_fini) struct list l = {0};
	int r = s->fd < 0 ? 0 : list(s, &l);

	*ret = (struct px_shelf_sum){.n = l.n, .bytes = l.bytes};
	return r;
}

int px_shelf_trim(struct px_shelf *s, uint32_t max_age_days, uint64_t max_bytes,
		  struct px_shelf_sum *ret)
{
	PX_AUTO(list_fini) struct list l = {0};
	const int64_t now = time(NULL);
	int r = s->fd < 0 ? 0 : list(s, &l);

	*ret = (struct px_shelf_sum){0};
	if (r < 0 || l.n == 0)
		return r;
	qsort(l.all, l.n, sizeof(l.all[0]), compare_use);
	for (size_t i = 0; i < l.n; i++) {
		const bool is_old = max_age_days != UINT32_MAX &&
				    (now - l.all[i].used) / DAY > max_age_days;

		if (!is_old && l.bytes <= max_bytes)
			break;
		if (unlinkat(s->fd, l.all[i].name, 0) < 0)
			continue;
		l.bytes -= l.all[i].bytes;
		ret->n++;
		ret->bytes += l.all[i].bytes;
	}
	return 0;
}

int px_shelf_check(struct px_shelf *s, struct px_shelf_sum *ret)
{
	PX_AUTO(list_fini) struct list l = {0};
	int r = s->fd < 0 ? 0 : list(s, &l);

	*ret = (struct px_shelf_sum){.n = l.n, .bytes = l.bytes};
	for (size_t i = 0; i < l.n && r == 0; i++) {
		PX_AUTOCLOSE int fd = -1;
		uint8_t digest[PX_DIGEST_SIZE];
		char text[NAME_SIZE] = "";
		struct stat st;

		r = open_ours(s, l.all[i].name, false, &fd, &st);
		if (r == 0)
			r = digest_of(fd, -1, digest);
		if (r == 0)
			name_of(digest, text);
		if (r == -EBADMSG ||
		    (r == 0 && strcmp(text, l.all[i].name) != 0)) {
			unlinkat(s->fd, l.all[i].name, 0);
			ret->damaged++;
			r = 0;
		} else if (r == -ENOENT) { /* evicted meanwhile */
			ret->n--;
			r = 0;
		}
	}
	return r;
}

/* --------------------------------------------------------------- writing */

int px_shelf_put(struct px_shelf *s, int fd, uint8_t ret[PX_DIGEST_SIZE])
{
	static _Atomic unsigned count;
	PX_AUTOCLOSE int to = -1;
	char temporary[64], name[NAME_SIZE];
	struct px_shelf_sum unused;
	int r;

	if (s->fd < 0)
		open_dir(s, true);
	if (s->fd < 0)
		return digest_of(fd, -1, ret);
	snprintf(temporary, sizeof(temporary), ".%d-%llx-%u", getpid(),
		 (unsigned long long)px_now_ms(), atomic_fetch_add(&count, 1));
	to = openat(s->fd, temporary,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = digest_of(fd, to, ret);
	if (to < 0)
		return r;
	name_of(ret, name);
	if (r == 0 && renameat(s->fd, temporary, s->fd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(s->fd, temporary, 0);
	else
		(void)px_shelf_trim(s, UINT32_MAX, s->max_bytes, &unused);
	/* That there is no room for it only costs the time to make it again. */
	return r == -ENOSPC || r == -EDQUOT ? digest_of(fd, -1, ret) : r;
}
