/* SPDX-License-Identifier: MIT */
#include "pycfs/stray.h"

#include "zip.h"

#include "pycfs/log.h"

#include <stdio.h>

#define MAX_KEPT 1000 /* of each kind */
#define MAX_TOLD 3    /* in a sentence */
#define MAX_BYTES                                                  \
	(1u << 20) /* of a .pth, an .egg-link or a direct_url.json \
		    */

struct px_strays {
	pthread_mutex_t lock;
	struct px_stray *all; /* under lock, as the rest is */
	size_t n, room;
	size_t counts[PX_N_STRAYS];
	size_t n_open; /* files and directories that everybody may read */
};

/* Where strays are looked for. */
struct place {
	struct px_strays *s;
	struct px_tree *t;
	const char *dir;
	const struct px_view *v;
};

static const struct {
	const char *name, *one, *many, *remedy;
} kinds[PX_N_STRAYS] = {
	[PX_STRAY_LOST] = {"lost",
			   "module or package is lost, because it is a link",
			   "modules or packages are lost, because they are "
			   "links",
			   "--follow-links ROOT ships what links into ROOT "
			   "lead to, --exclude leaves them out, --on-lost warn "
			   "ships the links"},
	[PX_STRAY_PTH] = {"pth", "line of a .pth file leads out of SOURCE",
			  "lines of .pth files lead out of SOURCE",
			  "what is there is not shipped; a project that is "
			  "installed without -e is"},
	[PX_STRAY_EGG_LINK] = {"egg-link", "egg-link leads to a project",
			       "egg-links lead to projects",
			       "what is there is not shipped; a project that "
			       "is installed without -e is"},
	[PX_STRAY_EDITABLE] = {"editable",
			       "file belongs to an editable install",
			       "files belong to editable installs",
			       "such a project is not shipped; one that is "
			       "installed without -e is"},
	[PX_STRAY_ARCHIVE] = {"archive", "zip archive has sources in it",
			      "zip archives have sources in them",
			      "they ship, and Python compiles them at each "
			      "start: unpack the archive, or --exclude it"},
	[PX_STRAY_SCRIPT] = {"script",
			     "file stays a source, because it is a script that "
			     "no RECORD owns",
			     "files stay sources, because they are scripts "
			     "that no RECORD owns",
			     "one that nobody may execute becomes a module"},
	[PX_STRAY_APPLICATION] = {"application",
				  "name at the top hardly belongs in a layer",
				  "names at the top hardly belong in a layer",
				  "--exclude leaves it out"},
	[PX_STRAY_MODE] = {"mode",
			   "name may not be read by everybody, as others may",
			   "names may not be read by everybody, as others may",
			   "--modes normal makes all modes 0755 or 0644"},
	[PX_STRAY_LINK] = {"link", "other link leads to what the layer has not",
			   "other links lead to what the layer has not",
			   "it ships as a link"},
};

const char *px_stray_name(enum px_stray_kind kind)
{
	return kinds[kind].name;
}

const char *px_stray_what(enum px_stray_kind kind, size_t n)
{
	return n == 1 ? kinds[kind].one : kinds[kind].many;
}

const char *px_stray_remedy(enum px_stray_kind kind)
{
	return kinds[kind].remedy;
}

/* ------------------------------------------------------------- collecting */

int px_strays_new(struct px_strays **ret)
{
	struct px_strays *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void px_strays_free(struct px_strays *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n; i++) {
		free(s->all[i].path);
		free(s->all[i].text);
	}
	free(s->all);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Under lock. Takes over both strings if it returns 0. */
static int keep(struct px_strays *s, enum px_stray_kind kind, char *path,
		char *text)
{
	struct px_stray *all;

	if (s->n == s->room) {
		const size_t room = s->room ? s->room * 2 : 16;

		all = reallocarray(s->all, room, sizeof(*all));
		if (!all)
			return -ENOMEM;
		s->all = all;
		s->room = room;
	}
	s->all[s->n++] = (struct px_stray){kind, path, text};
	return 0;
}

static int add(const struct place *p, enum px_stray_kind kind, const char *name,
	       const char *text)
{
	PX_AUTOFREE char *path = px_path_join(p->dir, name);
	PX_AUTOFREE char *copy = strdup(text);
	struct px_strays *s = p->s;
	int r = 0;

	if (!path || !copy)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	if (s->counts[kind] < MAX_KEPT)
		r = keep(s, kind, path, copy);
	if (r == 0 && s->counts[kind]++ < MAX_KEPT)
		path = copy = NULL;
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* ---------------------------------------------------------------- looking */

/* Whether the entry is in the view as it is. */
static bool is_shipped(const struct place *p, const struct px_name *e)
{
	const struct px_entry *found = px_view_find(p->v, e->name);

	return found && strcmp(found->source, e->name) == 0;
}

/* Reads a small file as text. Returns 0 or -errno. */
static int read_text(const struct place *p, const char *name,
		     struct px_buf *text)
{
	PX_AUTOFREE char *path = px_path_join(p->dir, name);
	struct px_stat st;
	int r = path ? px_tree_read(p->t, path, text, &st) : -ENOMEM;

	return r < 0 ? r : px_buf_add(text, "", 1);
}

/* Whether the path on a line of a .pth, which is relative to the directory that
 * the .pth is in, leads out of SOURCE. An absolute path does, as the layer will
 * be in another place. */
static bool leads_out(const char *dir, const char *line)
{
	int depth = *dir != '\0';

	if (*line == '/')
		return true;
	for (; *dir; dir++)
		depth += *dir == '/';
	while (*line) {
		const size_t n = strcspn(line, "/");

		if (n == 2 && line[0] == '.' && line[1] == '.')
			depth--;
		else if (n > 0 && (n > 1 || *line != '.'))
			depth++;
		if (depth < 0)
			return true;
		line += n + (line[n] == '/');
	}
	return false;
}

/* Whether a line that site.py executes has an absolute path in quotes. */
static bool has_absolute_path(const char *line)
{
	return strstr(line, "'/") || strstr(line, "\"/");
}

/* Cuts blanks off the end. */
static void strip(char *line)
{
	size_t n = strlen(line);

	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		line[--n] = '\0';
}

/* As in addpackage() of Lib/site.py, CPython 3.12. */
static int look_at_pth(const struct place *p, const char *name)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = MAX_BYTES};
	char *line, *rest;
	int r = 0;

	if (read_text(p, name, &text) < 0)
		return 0;
	for (line = strtok_r((char *)text.data, "\r\n", &rest); line && r == 0;
	     line = strtok_r(NULL, "\r\n", &rest)) {
		const bool runs = strncmp(line, "import ", 7) == 0 ||
				  strncmp(line, "import\t", 7) == 0;

		strip(line);
		if (*line == '\0' || *line == '#')
			continue;
		if (runs ? has_absolute_path(line) : leads_out(p->dir, line))
			r = add(p, PX_STRAY_PTH, name, line);
	}
	return r;
}

static int look_at_egg_link(const struct place *p, const char *name)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = MAX_BYTES};

	if (read_text(p, name, &text) < 0)
		return 0;
	((char *)text.data)[strcspn((char *)text.data, "\r\n")] = '\0';
	return add(p, PX_STRAY_EGG_LINK, name, (char *)text.data);
}

/* Whether a direct_url.json (PEP 610) says that the project is editable. */
static int look_at_direct_url(const struct place *p, const char *name)
{
	static const char key[] = "\"editable\"";
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = MAX_BYTES};
	const char *at;

	if (read_text(p, name, &text) < 0)
		return 0;
	at = strstr((char *)text.data, key);
	if (!at)
		return 0;
	at += sizeof(key) - 1;
	at += strspn(at, " \t\r\n:");
	return strncmp(at, "true", 4) == 0
		       ? add(p, PX_STRAY_EDITABLE, name, "editable")
		       : 0;
}

static bool is_finder(const char *name)
{
	return px_ends_in(name, ".py") &&
	       (strncmp(name, "__editable__", 12) == 0 ||
		(*name == '_' && (px_ends_in(name, "_editable.py") ||
				  px_ends_in(name, "_editable_loader.py"))));
}

static bool is_archive(const char *name)
{
	static const char *const all[] = {".egg", ".zip", ".pyz", ".pyzw",
					  ".whl"};
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(all); i++)
		if (px_ends_in(name, all[i]))
			return true;
	return false;
}

static int look_at_archive(const struct place *p, const char *name)
{
	PX_AUTOFREE char *path = px_path_join(p->dir, name);
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	char text[48];
	size_t n;

	if (!path)
		return -ENOMEM;
	if (px_tree_open_file(p->t, path, &fd, &st) < 0)
		return 0;
	n = px_zip_sources(fd, st.fp.size);
	if (n == 0)
		return 0;
	snprintf(text, sizeof(text), "%zu source%s", n, n == 1 ? "" : "s");
	return add(p, PX_STRAY_ARCHIVE, name, text);
}

static bool is_of_application(const char *name)
{
	static const char *const all[] = {
		".git", ".hg",	   ".svn",	   ".env",	".venv",
		".tox", ".nox",	   "node_modules", ".netrc",	".npmrc",
		".ssh", ".pypirc", ".aws",	   ".DS_Store",
	};
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(all); i++)
		if (strcmp(name, all[i]) == 0)
			return true;
	return strncmp(name, ".env.", 5) == 0;
}

/* Whether site.py reads the .pth files of this directory. */
static bool is_site(const char *dir)
{
	return *dir == '\0' || px_ends_in(dir, "site-packages") ||
	       px_ends_in(dir, "dist-packages");
}

static int look_at_link(const struct place *p, const struct px_name *e)
{
	const bool is_gone = e->leads == PX_LEADS_OUT ||
			     e->leads == PX_LEADS_NOWHERE ||
			     e->leads == PX_LEADS_CIRCLE;
	PX_AUTOFREE char *path = px_path_join(p->dir, e->name);
	PX_AUTOFREE char *target = NULL;

	if (!path)
		return -ENOMEM;
	if (!is_shipped(p, e))
		return 0;
	if (e->lost)
		return add(p, PX_STRAY_LOST, e->name, e->lost);
	if (px_tree_readlink(p->t, path, &target) < 0)
		return 0;
	return is_gone || *target == '/'
		       ? add(p, PX_STRAY_LINK, e->name, target)
		       : 0;
}

static int look_at_name(const struct place *p, const struct px_name *e)
{
	const char *name = e->name;
	int r = 0;

	if (e->type == PX_TYPE_LNK)
		return look_at_link(p, e);
	if (*p->dir == '\0' && is_of_application(name) && is_shipped(p, e))
		r = add(p, PX_STRAY_APPLICATION, name, "");
	if (r < 0 || e->type != PX_TYPE_REG)
		return r;
	if (e->is_script && is_shipped(p, e))
		return add(p, PX_STRAY_SCRIPT, name, "");
	if (is_site(p->dir) && is_finder(name) &&
	    (is_shipped(p, e) || px_view_find_source(p->v, name)))
		return add(p, PX_STRAY_EDITABLE, name, "finder");
	if (is_archive(name) && is_shipped(p, e))
		return look_at_archive(p, name);
	if (is_site(p->dir) && px_ends_in(name, ".pth") && is_shipped(p, e))
		return look_at_pth(p, name);
	if (is_site(p->dir) && px_ends_in(name, ".egg-link") &&
	    is_shipped(p, e))
		return look_at_egg_link(p, name);
	if (strcmp(name, "direct_url.json") == 0 &&
	    px_ends_in(p->dir, ".dist-info") && is_shipped(p, e))
		return look_at_direct_url(p, name);
	return 0;
}

static int look_at_mode(const struct place *p, const struct px_entry *e)
{
	const uint32_t want = e->kind == PX_KIND_DIR ? 0005 : 0004;
	char text[16];

	if (!e->st || e->kind == PX_KIND_LINK)
		return 0;
	if ((e->st->mode & want) == want) {
		pthread_mutex_lock(&p->s->lock);
		p->s->n_open++;
		pthread_mutex_unlock(&p->s->lock);
		return 0;
	}
	snprintf(text, sizeof(text), "%04o", e->st->mode);
	return add(p, PX_STRAY_MODE, e->source, text);
}

int px_strays_look(struct px_strays *s, struct px_tree *t, const char *dir,
		   const struct px_listing *l, const struct px_view *v,
		   bool modes)
{
	const struct place p = {s, t, dir, v};
	size_t i;
	int r = 0;

	for (i = 0; i < l->n && r == 0; i++)
		r = look_at_name(&p, &l->names[i]);
	for (i = 0; modes && i < px_view_count(v) && r == 0; i++)
		r = look_at_mode(&p, px_view_at(v, i));
	return r;
}

/* ---------------------------------------------------------------- reading */

size_t px_strays_count(const struct px_strays *s, enum px_stray_kind kind)
{
	/* Where most may not be read by everybody, that is meant so. */
	if (kind == PX_STRAY_MODE && s->counts[kind] >= s->n_open)
		return 0;
	return s->counts[kind];
}

static int compare(const void *a, const void *b)
{
	const struct px_stray *x = a, *y = b;
	const int c = strcmp(x->path, y->path);

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return c ? c : strcmp(x->text, y->text);
}

static void drop_modes(struct px_strays *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		if (s->all[i].kind != PX_STRAY_MODE) {
			s->all[n++] = s->all[i];
		} else {
			free(s->all[i].path);
			free(s->all[i].text);
		}
	s->n = n;
}

const struct px_stray *px_strays_all(struct px_strays *s, size_t *ret_n)
{
	if (px_strays_count(s, PX_STRAY_MODE) == 0)
		drop_modes(s);
	if (s->n > 1)
		qsort(s->all, s->n, sizeof(*s->all), compare);
	*ret_n = s->n;
	return s->all;
}

char *px_strays_sentence(struct px_strays *s, enum px_stray_kind kind)
{
	const size_t count = px_strays_count(s, kind);
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = 1u << 20};
	const struct px_stray *all;
	char begin[256];
	size_t i, n, told = 0;
	int r;

	if (count == 0)
		return NULL;
	all = px_strays_all(s, &n);
	snprintf(begin, sizeof(begin), "%zu %s: ", count,
		 px_stray_what(kind, count));
	r = px_buf_add(&text, begin, strlen(begin));
	for (i = 0; i < n && told < MAX_TOLD && r == 0; i++) {
		PX_AUTOFREE char *item = NULL;

		if (all[i].kind != kind)
			continue;
		if (asprintf(&item, "%s%.200s%s%.200s%s", told++ ? ", " : "",
			     all[i].path, *all[i].text ? " (" : "", all[i].text,
			     *all[i].text ? ")" : "") < 0)
			return NULL;
		r = px_buf_add(&text, item, strlen(item));
	}
	if (r == 0 && told < count)
		r = px_buf_add(&text, ", ...", 5);
	if (r == 0)
		r = px_buf_add(&text, ": ", 2);
	if (r == 0)
		r = px_buf_add(&text, kinds[kind].remedy,
			       strlen(kinds[kind].remedy) + 1);
	return r < 0 ? NULL : (char *)PX_STEAL(text.data);
}

void px_strays_log(struct px_strays *s, bool may_lose)
{
	enum px_stray_kind kind;

	for (kind = 0; kind < PX_N_STRAYS; kind++) {
		PX_AUTOFREE char *said = px_strays_sentence(s, kind);

		if (said)
			px_log(kind == PX_STRAY_LOST && !may_lose
				       ? PX_LOG_ERROR
				       : PX_LOG_WARNING,
			       "%s", said);
	}
}
