/* SPDX-License-Identifier: MIT */
#include "pycfs/export.h"
#include "account_item.h"
#include "sources.h"

#include "pycfs/map.h"
#include "pycfs/mark.h"
#include "pycfs/walk.h"

#include <fcntl.h>
#include <stdio.h>

/* How often tick is called while there is nothing to write, in ms. */
#define TICK_MS 100
/* How much of a file is read at a time to hash it, in bytes. */
#define HASH_CHUNK (1u << 18)
/* What du(1) counts for a directory, in bytes. */
#define DIR_BYTES 4096

/* A file in the sink to which equal files can be linked. */
struct twin {
	struct px_map_node node;
	uint8_t digest[PX_DIGEST_SIZE];
	char path[];
};

struct run {
	const struct px_export_options *o;
	struct px_export_summary *sum;
	struct px_export_fault **last_fault;
	struct px_why *why;
	struct px_sources *sources; /* NULL: they are not wanted */
	/* struct twin, by the first 8 bytes of the digest */
	struct px_map twins;
	char *path; /* of the current item, in the sink */
	/* Of the root of the view, and the path beside it that was written
	 * last; NULL: none. */
	struct px_attr root;
	char *beside;
	uint8_t *buffer; /* of HASH_CHUNK bytes; NULL until needed */
};

int px_export_check_prefix(const char *dir)
{
	size_t n;

	for (;; dir += n + 1) {
		n = strcspn(dir, "/");
		if (n == 0 || (n == 1 && *dir == '.') ||
		    (n == 2 && strncmp(dir, "..", 2) == 0))
			return -EINVAL;
		if (dir[n] == '\0')
			return 0;
	}
}

static int cannot(struct run *run, int err, const char *path)
{
	if (err == -ECANCELED)
		return px_because(run->why, err, "interrupted");
	if (err == -ESTALE || err == -ENOENT || err == -EAGAIN)
		return px_because(run->why, err,
				  "%s changed while it was exported: export "
				  "again once nobody writes to it",
				  *path ? path : "SOURCE");
	if (err == -EILSEQ)
		return px_because(run->why, err,
				  "%s: a zip cannot hold a name that is not "
				  "UTF-8 (--exclude it, or write a tar)",
				  path);
	if (err == -EOVERFLOW)
		return px_because(
			run->why, err,
			"%s belongs to a user that this user "
			"namespace does not have: say --owner 0:0, or "
			"write an archive",
			*path ? path : "SOURCE");
	/* These are errors of the destination rather than of the file that is
	 * being exported. */
	if (err == -ENOSPC || err == -EDQUOT || err == -EPIPE || err == -EBADF)
		return px_because(run->why, err, "%s: %s (at %s)", run->o->dest,
				  strerror(-err), *path ? path : "SOURCE");
	return px_because(run->why, err, "%s: %s", *path ? path : "SOURCE",
			  strerror(-err));
}

/* ------------------------------------------------------------- counting */

/* Adds a file to the totals. Paths come in byte order, so the files of one
 * top-level name are consecutive. */
static int count(struct run *run, const char *path, uint64_t bytes)
{
	struct px_export_summary *s = run->sum;
	const size_t n = strcspn(path, "/");
	struct px_export_part *parts, *last;

	s->total.files++;
	s->total.bytes += bytes;
	s->du_bytes += bytes;
	last = s->n_parts ? &s->parts[s->n_parts - 1] : NULL;
	if (!last || strlen(last->name) != n ||
	    memcmp(last->name, path, n) != 0) {
		parts = reallocarray(s->parts, s->n_parts + 1, sizeof(*parts));
		if (!parts)
			return -ENOMEM;
		s->parts = parts;
		last = &parts[s->n_parts];
		*last = (struct px_export_part){.name = strndup(path, n)};
		if (!last->name)
			return -ENOMEM;
		s->n_parts++;
	}
	last->files++;
	last->bytes += bytes;
	return 0;
}

static int add_fault(struct run *run, const struct px_item *i)
{
	const size_t n = strlen(i->source) + 1;
	struct px_export_fault *f = calloc(1, sizeof(*f) + n);

	if (!f)
		return -ENOMEM;
	f->why = px_blob_ref(i->blob);
	memcpy(f->path, i->source, n);
	*run->last_fault = f;
	run->last_fault = &f->next;
	run->sum->n_faults++;
	return 0;
}

/* ------------------------------------------------------------ duplicates */

/* Computes a digest of everything that two hard links to one inode have in
 * common: content, mode, owner and mtime. */
static int digest_item(struct run *run, const struct px_item *i, int fd,
		       uint8_t ret[PX_DIGEST_SIZE])
{
	const struct px_attr *a = &i->attr;
	struct px_digest d;
	ssize_t n;

	px_digest_init(&d);
	px_digest_u64(&d, "mode", a->mode);
	px_digest_u64(&d, "uid", a->uid);
	px_digest_u64(&d, "gid", a->gid);
	px_digest_u64(&d, "mtime", (uint64_t)a->mtime);
	px_digest_u64(&d, "size", a->size);
	if (i->blob)
		px_digest_field(&d, "data", i->blob->data, i->blob->size);
	if (!i->blob && !run->buffer)
		run->buffer = malloc(HASH_CHUNK);
	if (!i->blob && !run->buffer)
		return -ENOMEM;
	while (!i->blob) {
		n = px_read_full(fd, run->buffer, HASH_CHUNK);
		if (n < 0)
			return (int)n;
		px_digest_field(&d, "data", run->buffer, (size_t)n);
		if (n < HASH_CHUNK)
			break;
	}
	px_digest_final(&d, ret);
	return !i->blob && lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

/* Looks for an earlier equal file. Returns 1 and its path in the sink; 0 if
 * there is none, and then later equal files will find this one; -errno. With
 * `full` the earlier file cannot take more links, so this one replaces it.
 * Empty files are not linked, because that saves nothing. */
static int find_twin(struct run *run, const struct px_item *i, int fd,
		     bool full, const char **ret)
{
	const size_t n = strlen(run->path) + 1;
	uint8_t digest[PX_DIGEST_SIZE];
	uint64_t hash;
	struct px_map_node *at;
	struct twin *t;
	int r;

	if (!run->o->hardlink_dupes || i->attr.size == 0)
		return 0;
	r = digest_item(run, i, fd, digest);
	if (r < 0)
		return r;
	hash = px_get_le64(digest);
	at = full ? NULL : px_map_first(&run->twins, hash);
	for (; at; at = px_map_next(at)) {
		t = PX_CONTAINER(at, struct twin, node);
		if (memcmp(t->digest, digest, sizeof(digest)) == 0) {
			*ret = t->path;
			return 1;
		}
	}
	t = calloc(1, sizeof(*t) + n);
	if (!t || px_map_add(&run->twins, &t->node, hash) < 0) {
		free(t);
		return -ENOMEM;
	}
	memcpy(t->digest, digest, sizeof(digest));
	memcpy(t->path, run->path, n);
	return 0;
}

static void free_twins(struct px_map *twins)
{
	struct px_map_node *at = px_map_each(twins, NULL), *next;

	for (; at; at = next) {
		next = px_map_each(twins, at);
		free(PX_CONTAINER(at, struct twin, node));
	}
	px_map_fini(twins);
}

/* -------------------------------------------------------------- writing */

/* Adds a file or link to the account, if one is wanted. */
static int account(struct run *run, const struct px_item *i, int fd)
{
	return run->o->account ? px_account_item(run->o->account, run->o->tree,
						 run->path, i, fd)
			       : 0;
}

static int put_file(struct run *run, const struct px_item *i)
{
	struct px_sink_entry e = {.path = run->path, .attr = &i->attr};
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	uint64_t size = i->attr.size;
	int r = 0;

	if (!i->blob)
		r = px_content_open(run->o->content, i->source, i->st_known,
				    &fd, &st, &size);
	/* The attributes were read earlier and may be those of another version
	 * of the file. */
	if (r == 0 && size != i->attr.size)
		r = -ESTALE;
	if (r == 0)
		r = account(run, i, fd);
	if (r == 0)
		r = find_twin(run, i, fd, false, &e.target);
	if (r < 0)
		return r;
	e.hardlink = r == 1;
	if (e.hardlink) {
		r = px_sink_put(run->o->sink, &e, NULL);
		if (r == 0) {
			run->sum->hardlinks++;
			return count(run, i->path, 0);
		}
		/* File systems limit the number of hard links to a file; in
		 * ext4 it is 65000. */
		if (r != -EMLINK)
			return r;
		e.hardlink = false;
		e.target = NULL;
		r = find_twin(run, i, fd, true, &e.target);
		if (r < 0)
			return r;
	}
	if (i->blob) {
		r = px_sink_put(run->o->sink, &e, i->blob->data);
	} else {
		px_content_check_pyc(run->o->content, i->source, fd);
		r = px_sink_put_fd(run->o->sink, &e, fd);
		if (r == 0 && run->o->account && i->attr.unstripped == 0)
			r = px_account_unchanged(fd, &st);
	}
	return r < 0 ? r : count(run, i->path, i->attr.size);
}

static bool is_module(const struct px_item *i)
{
	return i->attr.kind == PX_KIND_MODULE || i->attr.kind == PX_KIND_KEPT ||
	       (i->attr.kind == PX_KIND_FILE &&
		px_mark_is_module(px_path_name(i->path)));
}

static int put_item(struct run *run, const struct px_item *i)
{
	struct px_sink_entry e = {
		.path = run->path, .attr = &i->attr, .target = i->target};

	if (px_kind_is_dir(i->attr.kind)) {
		run->sum->dirs++;
		run->sum->du_bytes += DIR_BYTES;
		return px_sink_put(run->o->sink, &e, NULL);
	}
	if (run->o->list) {
		const int r = px_buf_add(&run->sum->listed, i->source,
					 strlen(i->source) + 1);

		if (r < 0)
			return r;
	}
	if (i->attr.kind == PX_KIND_LINK) {
		int r = account(run, i, -1);

		run->sum->links++;
		run->sum->du_bytes += strlen(i->target);
		return r < 0 ? r : px_sink_put(run->o->sink, &e, NULL);
	}
	run->sum->modules += is_module(i);
	if (i->attr.kind == PX_KIND_MODULE || i->attr.kind == PX_KIND_KEPT)
		run->sum->total.made++;
	/* A source that is kept is a file of its own. */
	if (i->attr.kind != PX_KIND_KEPT)
		run->sum->pip_bytes +=
			i->attr.kind == PX_KIND_MODULE ? i->source_size
			: i->attr.unstripped > 0       ? i->attr.unstripped
						       : i->attr.size;
	if (i->attr.unstripped > 0) {
		run->sum->stripped++;
		run->sum->stripped_bytes += i->attr.unstripped - i->attr.size;
	}
	return put_file(run, i);
}

/* Writes the source of an item that was written, if it is a module. */
static int put_source(struct run *run, const struct px_item *i)
{
	if (!run->sources ||
	    (i->attr.kind != PX_KIND_MODULE && i->attr.kind != PX_KIND_KEPT))
		return 0;
	return px_sources_put(run->sources, i);
}

/* ------------------------------------------------------ beside the view */

/* Writes the directories that `path` names, those excepted that the path
 * written before it (run->beside) was in. They get the attributes of the root.
 * `path` may name a file, whose name has no slash behind it. */
static int put_dirs(struct run *run, const char *path)
{
	const char *end = strchr(path, '/');
	int r = 0;

	for (; end && r == 0; end = strchr(end + 1, '/')) {
		const size_t n = (size_t)(end - path);
		PX_AUTOFREE char *dir = strndup(path, n);
		const struct px_sink_entry e = {.path = dir,
						.attr = &run->root};

		if (!dir)
			return -ENOMEM;
		if (run->beside && strncmp(run->beside, path, n + 1) == 0)
			continue;
		run->sum->du_bytes += DIR_BYTES;
		r = px_sink_put(run->o->sink, &e, NULL);
	}
	free(run->beside);
	run->beside = strdup(path);
	return r == 0 && !run->beside ? -ENOMEM : r;
}

/* Writes a script that is not in the view. */
static int put_script(struct run *run, const struct px_script *s)
{
	const size_t n = strlen(s->path) + 1;
	PX_AUTO(px_item_freep) struct px_item *i = calloc(1, sizeof(*i) + n);
	int r = i ? put_dirs(run, s->path) : -ENOMEM;

	if (r < 0)
		return r;
	memcpy(i->path, s->path, n);
	i->source = s->source;
	free(run->path);
	run->path = strdup(s->path);
	r = run->path ? px_content_attr(run->o->content, s->source, NULL,
					PX_KIND_FILE, &i->attr)
		      : -ENOMEM;
	return r < 0 ? r : put_file(run, i);
}

/* Writes the scripts that are not in the view and come before it, or behind it,
 * in the order that a sink wants. */
static int put_scripts(struct run *run, const char *view, bool before)
{
	const struct px_scripts *all = run->o->scripts;
	size_t i;
	int r = 0;

	for (i = 0; i < px_scripts_count(all) && r == 0; i++) {
		const struct px_script *s = px_scripts_at(all, i);

		if (!s->in_view && (strcmp(s->path, view) < 0) == before)
			r = put_script(run, s);
	}
	return r;
}

/* The prefix with a slash at its end; "" if there is none. NULL: no memory. */
static char *prefix_of(const struct run *run)
{
	const char *dir = run->o->prefix_dir;
	char *prefix;

	return asprintf(&prefix, "%s%s", dir, *dir ? "/" : "") < 0 ? NULL
								   : prefix;
}

/* Writes the root, what comes before the view, and the directories of the
 * prefix. */
static int put_prefix(struct run *run, const struct px_item *root)
{
	const struct px_sink_entry e = {.path = "", .attr = &root->attr};
	PX_AUTOFREE char *prefix = prefix_of(run);
	int r = prefix ? px_sink_put(run->o->sink, &e, NULL) : -ENOMEM;

	run->root = root->attr;
	run->sum->du_bytes += DIR_BYTES;
	if (r == 0)
		r = put_scripts(run, prefix, true);
	return r < 0 ? r : put_dirs(run, prefix);
}

/* Writes what comes behind the view. */
static int put_rest(struct run *run)
{
	PX_AUTOFREE char *prefix = prefix_of(run);
	int r = prefix ? put_scripts(run, prefix, false) : -ENOMEM;

	return r < 0 ? cannot(run, r, run->path ? run->path : "") : 0;
}

/* Writes one item, or records why it cannot be written, and frees it. */
static int handle(struct run *run, struct px_item *i)
{
	int r = i->err;

	if (r == 0 && i->blob && i->blob->kind != PX_BLOB_CODE) {
		r = add_fault(run, i);
	} else if (r == 0 && run->sum->n_faults == 0) {
		free(run->path);
		run->path = px_path_join(run->o->prefix_dir, i->path);
		if (!run->path)
			r = -ENOMEM;
		else if (*i->path == '\0')
			r = put_prefix(run, i);
		else
			r = put_item(run, i);
		if (r == 0)
			r = put_source(run, i);
	}
	if (r < 0)
		cannot(run, r, i->source);
	px_item_free(i);
	return r;
}

static void add_pycache(struct run *run, struct px_walk *w)
{
	struct px_export_summary *s = run->sum;
	uint64_t n, bytes;

	px_walk_pycache(w, &n, &bytes);
	s->pip_bytes = n > 0 && n >= s->total.made ? s->pip_bytes + bytes : 0;
}

static int write_all(struct run *run, struct px_walk *w)
{
	const struct px_export_options *o = run->o;
	bool end = false;
	const char *path;
	int r = 0;

	while (r == 0 && !end) {
		struct px_item *i = px_walk_fetch(w, TICK_MS, &end);

		if (i)
			r = handle(run, i);
		if (r == 0 && !o->tick(o->tick_arg, &run->sum->total))
			r = cannot(run, -ECANCELED, "");
	}
	if (r == 0) {
		r = px_walk_error(w, &path);
		if (r < 0)
			cannot(run, r, path);
	}
	if (r == 0)
		add_pycache(run, w);
	return r == 0 && run->sum->n_faults == 0 ? put_rest(run) : r;
}

int px_export(const struct px_export_options *o, struct px_export_summary *ret,
	      struct px_why *why)
{
	struct run run = {
		.o = o, .sum = ret, .why = why, .last_fault = &ret->faults};
	struct px_walk *w = NULL;
	int r;

	*ret = (struct px_export_summary){.listed = {.max = SIZE_MAX}};
	r = px_walk_start(
		&(struct px_walk_options){
			.content = o->content,
			.tree = o->tree,
			.jobs = o->jobs,
			.want = PX_WANT_BYTES,
			.pycache_tag = o->pycache_tag,
		},
		&w);
	if (r == 0 && o->sources)
		r = px_sources_new(o->sources, o->tree, o->sources_head,
				   &run.sources);
	if (r < 0)
		px_because(why, r, "cannot start: %s", strerror(-r));
	else
		r = write_all(&run, w);
	if (r == 0 && run.sources) {
		r = px_sources_end(run.sources);
		if (r < 0)
			cannot(&run, r, PX_MANIFEST_NAME);
	}
	if (r < 0)
		o->give_up(o->tick_arg);
	px_walk_free(w);
	px_sources_free(run.sources);
	free_twins(&run.twins);
	free(run.path);
	free(run.beside);
	free(run.buffer);
	if (r == 0 && ret->n_faults > 0)
		r = px_because(why, -ENOEXEC, "%zu module%s not compile",
			       ret->n_faults,
			       ret->n_faults == 1 ? " does" : "s do");
	return r;
}

void px_export_summary_fini(struct px_export_summary *s)
{
	struct px_export_fault *next;
	size_t i;

	for (i = 0; i < s->n_parts; i++)
		free(s->parts[i].name);
	free(s->parts);
	px_buf_fini(&s->listed);
	for (; s->faults; s->faults = next) {
		next = s->faults->next;
		px_blob_unref(s->faults->why);
		free(s->faults);
	}
}
