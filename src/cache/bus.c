/* SPDX-License-Identifier: MIT */
#include "bus.h"

#include "pycfs/util.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A signal handler can be handed nothing, so what it looks at is static: where
 * the maps lie. A process has one or two of them. */
#define MAX_MAPS 8

static struct {
	_Atomic uintptr_t from; /* 0: the slot is free */
	_Atomic uintptr_t to;
	atomic_bool hit;
} maps[MAX_MAPS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* What was done at SIGBUS before. Written under lock, before the handler is
 * installed; only read afterwards. */
static struct sigaction before;

static int slot_of(uintptr_t at)
{
	for (int i = 0; i < MAX_MAPS; i++)
		if (atomic_load(&maps[i].from) != 0 &&
		    at >= atomic_load(&maps[i].from) &&
		    at < atomic_load(&maps[i].to))
			return i;
	return -1;
}

/* By zeros. A meta page is replaced by 0xff bytes, which say that all tables
 * are empty: LMDB aborts if the root of a table is page 0 (mdb_page_search). */
static bool replace_page(int slot, uintptr_t at, size_t page)
{
	const bool meta = at < atomic_load(&maps[slot].from) + 2 * page;
	void *p = mmap((void *)at, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		return false;
	memset(p, meta ? 0xff : 0, page);
	return mprotect(p, page, PROT_READ) == 0;
}

static void on_bus(PX_UNUSED int sig, siginfo_t *info, PX_UNUSED void *context)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t at = (uintptr_t)info->si_addr & ~(page - 1);
	const int slot = slot_of(at);
	const int saved = errno;

	if (slot >= 0 && replace_page(slot, at, page))
		atomic_store(&maps[slot].hit, true);
	else
		/* Not in a map of ours. The faulting instruction runs again
		 * and raises the signal for whoever handled it before. */
		sigaction(SIGBUS, &before, NULL);
	errno = saved;
}

static void install(void)
{
	struct sigaction action = {.sa_sigaction = on_bus,
				   .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction now;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, NULL, &now) < 0 || now.sa_sigaction == on_bus)
		return;
	before = now;
	sigaction(SIGBUS, &action, NULL);
}

/* A line of /proc/self/maps is "from-to perms offset device inode path"
 * (proc(5)). Returns `from` if this is a shared, read-only map of `bytes` bytes
 * of that file, else 0. */
static uintptr_t parse_map(char *line, const struct stat *file, size_t bytes)
{
	const uintptr_t from = strtoull(line, &line, 16);
	uintptr_t to;

	if (*line++ != '-')
		return 0;
	to = strtoull(line, &line, 16);
	if (strncmp(line, " r--s ", 6) != 0 || to - from != bytes)
		return 0;
	line += 6;
	line += strcspn(line, " ") + 1; /* the offset */
	line += strcspn(line, " ");	/* the device */
	return strtoull(line, NULL, 10) == file->st_ino ? from : 0;
}

/* Under lock. A map that is watched already is another one of the same file, or
 * of one that has the same number on another device: some file systems have
 * other devices in /proc/self/maps than in a struct stat. */
static uintptr_t find_map(const struct stat *file, size_t bytes)
{
	PX_AUTOFREE char *line = NULL;
	FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t found = 0;
	size_t n = 0;

	while (f && !found && getline(&line, &n, f) > 0) {
		found = parse_map(line, file, bytes);
		if (found && slot_of(found) >= 0)
			found = 0;
	}
	if (f)
		fclose(f);
	return found;
}

int px_bus_watch(MDB_env *env)
{
	int fd, slot = -1;
	MDB_envinfo info;
	struct stat st;
	uintptr_t at;

	if (mdb_env_info(env, &info) || mdb_env_get_fd(env, &fd) ||
	    fstat(fd, &st) < 0)
		return -1;
	pthread_mutex_lock(&lock);
	at = find_map(&st, info.me_mapsize);
	for (int i = 0; at && i < MAX_MAPS && slot < 0; i++)
		if (atomic_load(&maps[i].from) == 0)
			slot = i;
	if (slot >= 0) {
		install();
		atomic_store(&maps[slot].hit, false);
		atomic_store(&maps[slot].to, at + info.me_mapsize);
		atomic_store(&maps[slot].from, at);
	}
	pthread_mutex_unlock(&lock);
	return slot;
}

void px_bus_drop_pages(int slot)
{
	uintptr_t from, to;

	if (slot < 0)
		return;
	from = atomic_load(&maps[slot].from);
	to = atomic_load(&maps[slot].to);
	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

int64_t px_bus_offset(int slot, const void *p)
{
	const uintptr_t at = (uintptr_t)p;

	if (slot < 0 || at < atomic_load(&maps[slot].from) ||
	    at >= atomic_load(&maps[slot].to))
		return -1;
	return (int64_t)(at - atomic_load(&maps[slot].from));
}

bool px_bus_hit(int slot)
{
	return slot >= 0 && atomic_load(&maps[slot].hit);
}

void px_bus_unwatch(int slot)
{
	if (slot >= 0)
		atomic_store(&maps[slot].from, 0);
}
