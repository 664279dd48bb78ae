/* SPDX-License-Identifier: MIT */
#include "opt_table.h"
#include "trace.h"

#include "pycfs/export.h"
#include "pycfs/log.h"
#include "pycfs/map.h"
#include "pycfs/tree.h"
#include "pycfs/unarchive.h"

#include <limits.h>
#include <sys/stat.h>

/* Bytes of sources that are held at a time. */
#define MAX_TEXTS (256u << 20)
/* Bytes of memory for the names of what a log asks an archive for. */
#define MAX_WANTED   (64u << 20)
#define MAX_MANIFEST (256u << 20)

enum state {
	NEW,	  /* not looked at yet */
	GOOD,	  /* its lines can be shown */
	REFUSED,  /* why was logged */
	NOT_OURS, /* perhaps a file of another program */
};

/* The source of one module, or what may be one. */
struct text {
	struct px_map_node node;
	enum state state;
	bool has_data;
	bool too_much;	   /* it was left out for want of memory */
	bool said_no_line; /* that it ends before a line that a frame has */
	bool has_row;	   /* the manifest has it */
	bool has_hash;	   /* and a hash of it */
	uint8_t hash[PX_SOURCE_HASH_SIZE];
	int64_t mtime; /* seconds; of a file of a directory */
	struct px_buf data;
	uint32_t *starts; /* offsets of the lines in `data` */
	size_t n_lines;
	char path[]; /* "pkg/core.py" */
};

struct px_texts {
	struct px_texts_options o; /* prefix is not NULL once loaded */
	struct px_tree *tree;	   /* a directory; else NULL */
	struct px_layer *layer;
	struct px_map texts; /* struct text, by path */
	size_t memory;	     /* bytes in `texts` */
	size_t read;	     /* bytes of data among them */
	struct px_buf manifest;
	uint32_t magic;
	bool wants_too_much;
	bool said_unchecked, said_times;
};

/* ---------------------------------------------------------------- the table */

static uint64_t hash_of(const char *path)
{
	return px_hash64(0, path, strlen(path));
}

static struct text *find(const struct px_texts *t, const char *path)
{
	struct px_map_node *n = px_map_first(&t->texts, hash_of(path));

	for (; n; n = px_map_next(n)) {
		struct text *x = PX_CONTAINER(n, struct text, node);

		if (strcmp(x->path, path) == 0)
			return x;
	}
	return NULL;
}

static struct text *add(struct px_texts *t, const char *path)
{
	const size_t n = strlen(path) + 1;
	struct text *x = calloc(1, sizeof(*x) + n);

	if (!x || px_map_add(&t->texts, &x->node, hash_of(path)) < 0) {
		free(x);
		return NULL;
	}
	memcpy(x->path, path, n);
	t->memory += sizeof(*x) + n;
	return x;
}

static void clear(struct px_texts *t)
{
	struct px_map_node *n, *next;

	for (n = px_map_each(&t->texts, NULL); n; n = next) {
		struct text *x = PX_CONTAINER(n, struct text, node);

		next = px_map_each(&t->texts, n);
		px_buf_fini(&x->data);
		free(x->starts);
		free(x);
	}
	px_map_fini(&t->texts);
	t->memory = t->read = 0;
}

/* ---------------------------------------------------------------- file names
 */

/* Copies the `n` bytes at `path` as the path of a source: relative, without
 * "." and "..", and X.py for X.pyc. False if it is none. */
static bool source_path(const char *path, size_t n, char ret[PATH_MAX])
{
	if (n >= PATH_MAX || memchr(path, '\0', n))
		return false;
	memcpy(ret, path, n);
	ret[n] = '\0';
	if (px_ends_in(ret, ".pyc"))
		ret[n - 1] = '\0';
	return px_ends_in(ret, ".py") && px_export_check_prefix(ret) == 0;
}

/* Converts a co_filename to the path of a source below the prefix. */
static bool below_prefix(const struct px_texts *t, const char *path, size_t n,
			 char ret[PATH_MAX])
{
	size_t m = strlen(t->o.prefix);

	if (n <= m || memcmp(path, t->o.prefix, m) != 0)
		return false;
	if (m > 0 && t->o.prefix[m - 1] != '/' && path[m++] != '/')
		return false;
	return source_path(path + m, n - m, ret);
}

int px_texts_want(struct px_texts *t, const char *path, size_t n)
{
	const char *end = path + n, *slash;
	char source[PATH_MAX];

	/* What co_filename begins with is known only at the end of the archive,
	 * so that every tail of the name may be the path in it. If one of them
	 * is wanted already, so are the shorter ones. */
	while (path) {
		if (source_path(path, (size_t)(end - path), source)) {
			if (find(t, source))
				return 0;
			if (t->memory > MAX_WANTED) {
				t->wants_too_much = true;
				return 0;
			}
			if (!add(t, source))
				return -ENOMEM;
		}
		slash = memchr(path, '/', (size_t)(end - path));
		path = slash ? slash + 1 : NULL;
	}
	return 0;
}

/* ------------------------------------------------------------- the archive */

static int read_text(struct px_texts *t, struct px_unarchive *u, struct text *x,
		     struct px_why *why)
{
	int r;

	x->data.max = MAX_TEXTS - t->read;
	r = px_unarchive_read(u, &x->data, why);
	if (r == -EFBIG) {
		x->too_much = true;
		px_buf_fini(&x->data);
		return 0;
	}
	x->has_data = r == 0;
	t->read += x->data.size;
	return r;
}

static int read_entries(struct px_texts *t, struct px_why *why)
{
	struct px_unarchive_entry e;
	struct px_unarchive *u;
	struct text *x;
	int r = px_unarchive_open(t->o.sources, &u, why);

	if (r < 0)
		return r;
	for (;;) {
		r = px_unarchive_next(u, &e, why);
		if (r <= 0)
			break;
		x = e.hardlink ? NULL : find(t, e.path);
		if (strcmp(e.path, PX_MANIFEST_NAME) == 0) {
			px_buf_fini(&t->manifest);
			t->manifest.max = MAX_MANIFEST;
			r = px_unarchive_read(u, &t->manifest, why);
		} else if (x && !x->has_data) {
			r = read_text(t, u, x, why);
		}
		if (r < 0)
			break;
	}
	px_unarchive_close(u);
	return r;
}

static int read_manifest(struct px_texts *t, struct px_why *why)
{
	struct px_manifest_row row;
	struct px_manifest m;
	struct px_why bad;
	struct text *x;
	int r;

	if (t->manifest.size == 0)
		return px_because(why, -EBADMSG,
				  "%s has no " PX_MANIFEST_NAME
				  ": pycfs export --sources did not make it",
				  t->o.sources);
	t->manifest.max++;
	r = px_buf_add(&t->manifest, "", 1);
	if (r < 0)
		return px_because(why, r, "out of memory");
	r = px_manifest_open(&m, (char *)t->manifest.data, &bad);
	if (r < 0)
		return px_because(why, r, "%s: %s", t->o.sources, bad.text);
	for (;;) {
		r = px_manifest_next(&m, &row);
		if (r <= 0)
			break;
		x = find(t, row.path);
		if (!x)
			continue;
		x->has_row = true;
		x->has_hash = row.has_hash;
		memcpy(x->hash, row.hash, sizeof(x->hash));
	}
	if (r < 0)
		return px_because(
			why, r, "%s: a line of " PX_MANIFEST_NAME " is damaged",
			t->o.sources);
	t->magic = m.head.magic;
	if (!t->o.prefix)
		t->o.prefix = m.head.prefix;
	if (!t->o.dir)
		t->o.dir = m.head.dir;
	return 0;
}

int px_texts_load(struct px_texts *t, struct px_why *why)
{
	int r = 0;

	if (!t->tree)
		r = read_entries(t, why);
	if (r == 0 && !t->tree)
		r = read_manifest(t, why);
	if (r < 0)
		return r;
	if (!t->o.prefix)
		t->o.prefix = px_opt_defaults.prefix;
	if (!t->o.dir)
		t->o.dir = px_opt_defaults.prefix_dir;
	if (t->wants_too_much)
		px_log(PX_LOG_WARNING,
		       "the log names too many files to look all of them up");
	return t->o.layer ? px_layer_open(t->o.layer, t->o.dir, &t->layer, why)
			  : 0;
}

/* ----------------------------------------------------------- whether to trust
 */

/* Logs why the frames of a module are left alone. */
static void PX_PRINTF(2, 3) refuse(struct text *x, const char *fmt, ...)
{
	struct px_why why;
	va_list args;

	va_start(args, fmt);
	px_vshorten(why.text, sizeof(why.text), fmt, args);
	va_end(args);
	px_log(PX_LOG_WARNING, "%s: %s; its frames stay as they are", x->path,
	       why.text);
	x->state = REFUSED;
}

static bool has_hash(const struct text *x, uint32_t magic, const uint8_t *hash)
{
	uint8_t own[PX_SOURCE_HASH_SIZE];

	px_source_hash(magic, x->data.data, x->data.size, own);
	return memcmp(own, hash, sizeof(own)) == 0;
}

/* Whether the .pyc with this header, which has a time, may be made of `x`. */
static bool has_time(struct px_texts *t, const struct text *x,
		     const uint8_t *header)
{
	if (!t->tree && !t->said_times) {
		t->said_times = true;
		px_log(PX_LOG_WARNING,
		       "%s was made with --invalidation-mode timestamp: only "
		       "the sizes of sources are compared with it",
		       t->o.layer);
	}
	return px_get_le32(header + 12) == (uint32_t)x->data.size &&
	       (!t->tree || px_get_le32(header + 8) == (uint32_t)x->mtime);
}

/* Whether the layer's .pyc was made of `x`; logs if not. */
static bool is_of_layer(struct px_texts *t, struct text *x)
{
	uint8_t header[PX_PYC_HEADER_SIZE];
	int r = px_layer_header(t->layer, x->path, header);
	bool same;

	if (r == -ENOENT)
		refuse(x, "%s has no .pyc of it", t->o.layer);
	else if (r < 0)
		refuse(x, "its .pyc in %s cannot be read: %s", t->o.layer,
		       strerror(-r));
	if (r < 0)
		return false;
	if (px_get_le32(header + 4) == PX_PYC_TIMESTAMP)
		same = has_time(t, x, header);
	else
		same = has_hash(x, px_get_le32(header), header + 8);
	if (!same)
		refuse(x, "the .pyc in %s was made of another version of it",
		       t->o.layer);
	return same;
}

static bool is_trusted(struct px_texts *t, struct text *x)
{
	if (!t->tree && !x->has_row) {
		refuse(x, "%s does not list it", t->o.sources);
		return false;
	}
	if (!t->tree && x->has_hash && !has_hash(x, t->magic, x->hash)) {
		refuse(x, "%s is damaged: its text is not what the hash says",
		       t->o.sources);
		return false;
	}
	if (t->layer)
		return is_of_layer(t, x);
	if (t->tree && !t->said_unchecked) {
		t->said_unchecked = true;
		px_log(PX_LOG_WARNING,
		       "without --layer nobody checks that %s is what the "
		       "program was made of",
		       t->o.sources);
	}
	return true;
}

/* Finds where the lines begin, which end as Python has it: in \n, \r\n or
 * \r. */
static int index_lines(struct text *x)
{
	const char *data = (const char *)x->data.data;
	const size_t n = x->data.size;
	size_t i, room = 0;
	uint32_t *starts;

	for (i = 0; i < n; i++) {
		if (i > 0 && data[i - 1] != '\n' &&
		    (data[i - 1] != '\r' || data[i] == '\n'))
			continue;
		if (x->n_lines == room) {
			room = room ? 2 * room : 256;
			starts = reallocarray(x->starts, room, sizeof(*starts));
			if (!starts)
				return -ENOMEM;
			x->starts = starts;
		}
		x->starts[x->n_lines++] = (uint32_t)i;
	}
	return 0;
}

/* Decides what becomes of the frames of a module. */
static void judge(struct px_texts *t, struct text *x)
{
	if (x->too_much)
		refuse(x, "the log needs more than %u MiB of sources at once",
		       MAX_TEXTS >> 20);
	else if (!x->has_data && !x->has_row && *t->o.prefix == '\0')
		x->state = NOT_OURS;
	else if (!x->has_data)
		refuse(x, "%s does not have it", t->o.sources);
	else if (is_trusted(t, x)) {
		x->state = GOOD;
		if (index_lines(x) < 0)
			refuse(x, "out of memory");
	}
}

/* ------------------------------------------------------------------- lookup */

/* Reads a file of the directory. NULL if out of memory. */
static struct text *read_file(struct px_texts *t, const char *path)
{
	struct px_stat st;
	struct text *x;
	int r;

	if (t->memory + t->read > MAX_TEXTS)
		clear(t);
	x = add(t, path);
	if (!x)
		return NULL;
	x->data.max = MAX_TEXTS;
	r = px_tree_read(t->tree, path, &x->data, &st);
	t->read += x->data.size;
	if (r == 0) {
		x->has_data = true;
		x->mtime = st.fp.mtime_ns / 1000000000;
	} else if (r != -ENOENT && r != -ENOTDIR) {
		refuse(x, "it cannot be read: %s", strerror(-r));
	}
	return x;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') ||
	       (c >= '\x1c' && c <= '\x1f');
}

static void cut_line(const struct text *x, uint32_t number, const char **ret,
		     size_t *ret_n)
{
	const char *data = (const char *)x->data.data;
	const char *at = data + x->starts[number - 1];
	const char *end = number < x->n_lines ? data + x->starts[number]
					      : data + x->data.size;

	/* The byte order mark that a source may begin with. */
	if (number == 1 && end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	while (at < end && is_space(*at))
		at++;
	while (end > at && is_space(end[-1]))
		end--;
	*ret = at;
	*ret_n = (size_t)(end - at);
}

enum px_text_answer px_texts_line(struct px_texts *t, const char *path,
				  size_t n, uint32_t number, const char **ret,
				  size_t *ret_n)
{
	char source[PATH_MAX];
	struct text *x;

	if (!below_prefix(t, path, n, source))
		return PX_TEXT_NOT_OURS;
	x = find(t, source);
	if (!x)
		x = t->tree ? read_file(t, source) : add(t, source);
	if (!x)
		return PX_TEXT_MISSING;
	if (x->state == NEW)
		judge(t, x);
	if (x->state == NOT_OURS)
		return PX_TEXT_NOT_OURS;
	if (x->state == REFUSED)
		return PX_TEXT_MISSING;
	if (number > x->n_lines) {
		if (!x->said_no_line)
			px_log(PX_LOG_WARNING,
			       "%s has no line %u: the log is of another "
			       "version of it",
			       x->path, number);
		x->said_no_line = true;
		return PX_TEXT_MISSING;
	}
	cut_line(x, number, ret, ret_n);
	return PX_TEXT_LINE;
}

int px_texts_open(const struct px_texts_options *o, struct px_texts **ret,
		  struct px_why *why)
{
	struct px_texts *t = calloc(1, sizeof(*t));
	struct stat st;
	int r = 0;

	if (!t)
		return px_because(why, -ENOMEM, "out of memory");
	t->o = *o;
	if (stat(o->sources, &st) < 0)
		r = px_because(why, -errno, "cannot open %s: %s", o->sources,
			       strerror(errno));
	else if (S_ISDIR(st.st_mode))
		r = px_tree_open(o->sources, &t->tree, why);
	if (r < 0) {
		px_texts_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

bool px_texts_is_archive(const struct px_texts *t)
{
	return !t->tree;
}

void px_texts_free(struct px_texts *t)
{
	if (!t)
		return;
	clear(t);
	px_buf_fini(&t->manifest);
	px_layer_free(t->layer);
	px_tree_close(t->tree);
	free(t);
}
