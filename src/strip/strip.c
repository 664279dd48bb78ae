/* SPDX-License-Identifier: MIT */
#include "pycfs/strip.h"

#include "elf.h"
#include "tool.h"

#include "pycfs/io.h"
#include "pycfs/path.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* The machine of this program's own ELF file; 0: nobody has said. */
#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#else
#define HOST_MACHINE EM_NONE
#endif

/* Those that are there are tried in this order: GNU's for the machine that it
 * was built for, Debian's for others, and those that do all machines. */
static const char *const usual[] = {
	"strip",
	"x86_64-linux-gnu-strip",
	"aarch64-linux-gnu-strip",
	"llvm-strip",
	"eu-strip",
};

struct px_strip {
	char *compiler;
	char *tools; /* as px_strip_tools */
	struct px_tool tool[PX_ARRAY_LEN(usual)];
	size_t n;
};

/* Bytes of a file that are mapped. */
struct map {
	void *data;
	size_t size;
};

static void map_fini(struct map *m)
{
	if (m->data)
		munmap(m->data, m->size);
}

/* -errno; a file without bytes has no data. */
static int map_fd(int fd, struct map *ret)
{
	struct stat st;

	*ret = (struct map){NULL, 0};
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0)
		return 0;
	ret->data =
		mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (ret->data == MAP_FAILED) {
		ret->data = NULL;
		return -errno;
	}
	ret->size = (size_t)st.st_size;
	return 0;
}

/* -------------------------------------------------------------- the tools */

static int add_text(struct px_strip *s, const char *version)
{
	PX_AUTOFREE char *before = s->tools;

	if (asprintf(&s->tools, "%s%s%s", before ? before : "",
		     before ? "; " : "", version) >= 0)
		return 0;
	s->tools = NULL;
	return -ENOMEM;
}

/* Whether a tool of the same version is there, under another name. */
static bool has_version(const struct px_strip *s, const char *version)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->tool[i].version, version) == 0)
			return true;
	return false;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* 0 also if it is not there, or is one of those that are. */
static int add_tool(struct px_strip *s, const char *name)
{
	struct px_tool t;
	int r = px_tool_find(name, &t);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < s->n; i++)
		if (is_same_file(s->tool[i].path, t.path)) {
			px_tool_fini(&t);
			return 0;
		}
	/* GNU's says the same for every machine. */
	r = has_version(s, t.version) ? 0 : add_text(s, t.version);
	s->tool[s->n++] = t;
	return r;
}

static int add_named(struct px_strip *s, const char *name, struct px_why *why)
{
	int r = px_tool_find(name, &s->tool[0]);

	if (r == 0) {
		s->n = 1;
		return add_text(s, s->tool[0].version);
	}
	if (r == -EIO)
		return px_because(why, r,
				  "%s says no version when it is called with "
				  "--version: name another tool with "
				  "--strip-tool",
				  name);
	return px_because(why, r, "cannot strip with %s: %s", name,
			  strerror(-r));
}

int px_strip_new(const struct px_strip_options *o, struct px_strip **ret,
		 struct px_why *why)
{
	struct px_strip *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return px_because(why, -ENOMEM, "out of memory");
	s->compiler = strdup(o->compiler);
	if (!s->compiler)
		r = px_because(why, -ENOMEM, "out of memory");
	if (r == 0 && o->tool)
		r = add_named(s, o->tool, why);
	for (size_t i = 0; !o->tool && i < PX_ARRAY_LEN(usual) && r == 0; i++)
		r = add_tool(s, usual[i]);
	if (r == 0 && s->n == 0)
		r = px_because(why, -ENOENT,
			       "nothing is here that strips: install binutils, "
			       "llvm or elfutils, or name a tool with "
			       "--strip-tool");
	if (r < 0) {
		px_strip_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void px_strip_free(struct px_strip *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		px_tool_fini(&s->tool[i]);
	free(s->tools);
	free(s->compiler);
	free(s);
}

const char *px_strip_tools(const struct px_strip *s)
{
	return s->tools;
}

/* --------------------------------------------------------------- stripping */

/* Makes an empty file in memory. A program that is started has it only if it is
 * given it. */
static int make_memory(const char *name, int *ret)
{
	*ret = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return *ret < 0 ? -errno : 0;
}

int px_strip_copy(int fd, int *ret)
{
	PX_AUTOCLOSE int in = -1;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size > PX_STRIP_MAX)
		return -EFBIG;
	r = make_memory("in", &in);
	for (off64_t at = 0; at < st.st_size && r == 0;) {
		const ssize_t n =
			sendfile64(in, fd, &at, (size_t)(st.st_size - at));

		if (n < 0 && errno != EINTR)
			r = -errno;
		else if (n == 0)
			r = -ESTALE;
	}
	if (r == 0 && fcntl(in, F_ADD_SEALS,
			    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	if (r == 0)
		*ret = px_steal_fd(&in);
	return r;
}

/* Looks at what the tool has made of `before`. */
static void judge(const struct px_elf *before, int out,
		  const struct px_tool *tool, struct px_stripped *ret)
{
	PX_AUTO(map_fini) struct map m = {NULL, 0};
	struct px_elf after;

	ret->outcome = PX_STRIP_LEFT;
	if (map_fd(out, &m) < 0 || m.size == 0 ||
	    !px_elf_open(m.data, m.size, &after))
		snprintf(ret->reason, sizeof(ret->reason),
			 "%s makes no ELF file of it",
			 px_path_name(tool->path));
	else if (!px_elf_loads_alike(before, &after))
		snprintf(ret->reason, sizeof(ret->reason),
			 "%s would change what is loaded of it, as of many a "
			 "file that patchelf has changed",
			 px_path_name(tool->path));
	else if (m.size >= before->size)
		ret->outcome = PX_STRIP_NOTHING;
	else
		ret->outcome = PX_STRIP_DONE;
	ret->size = m.size;
}

/* Tries one tool. */
static int try_tool(const struct px_strip *s, const struct px_tool *tool,
		    const struct px_elf *before, int in, bool *can,
		    struct px_stripped *ret)
{
	PX_AUTOCLOSE int out = -1;
	int r = make_memory("out", &out);

	if (r == 0)
		r = px_tool_run(tool, s->compiler, in, out, ret->reason,
				sizeof(ret->reason));
	*can |= r == 0;
	if (r == 0)
		judge(before, out, tool, ret);
	if (r == 0 && ret->outcome == PX_STRIP_DONE) {
		if (lseek(out, 0, SEEK_SET) < 0)
			return -errno;
		ret->fd = px_steal_fd(&out);
	}
	ret->may_pass = r == -EAGAIN;
	return r == -EBADMSG || r == -EAGAIN ? 0 : r;
}

int px_strip_file(struct px_strip *s, int copy, struct px_stripped *ret)
{
	PX_AUTO(map_fini) struct map m = {NULL, 0};
	const char *objection;
	struct px_elf before;
	bool can = false; /* a tool does such files */
	int r = map_fd(copy, &m);

	*ret = (struct px_stripped){.outcome = PX_STRIP_LEFT, .fd = -1};
	if (r < 0)
		return r;
	objection = px_elf_open(m.data, m.size, &before)
			    ? px_elf_objection(&before)
			    : "is damaged: its header makes no sense";
	if (objection) {
		snprintf(ret->reason, sizeof(ret->reason), "it %s", objection);
		return 0;
	}
	/* What another tool makes when the first one was ended by chance would
	 * have other bytes than the next time. */
	for (size_t i = 0; i < s->n && r == 0 &&
			   ret->outcome == PX_STRIP_LEFT && !ret->may_pass;
	     i++)
		r = try_tool(s, &s->tool[i], &before, copy, &can, ret);
	if (r == 0 && !can && !ret->may_pass && before.machine != HOST_MACHINE)
		snprintf(ret->reason, sizeof(ret->reason),
			 "no tool that is here does its machine (ELF machine "
			 "%u): install llvm or binutils-multiarch",
			 before.machine);
	return r;
}

int px_strip_concerns(int fd)
{
	uint8_t head[64] = {0};
	const ssize_t n = px_pread_full(fd, head, sizeof(head), 0);
	unsigned type;

	if (n < 0)
		return (int)n;
	type = head[EI_DATA] == ELFDATA2MSB ? head[17] : head[16]; /* e_type */
	return n == sizeof(head) && memcmp(head, ELFMAG, SELFMAG) == 0 &&
	       (type == ET_EXEC || type == ET_DYN);
}
