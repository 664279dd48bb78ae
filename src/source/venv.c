/* SPDX-License-Identifier: MIT */
#include "pycfs/venv.h"

#include "pycfs/tree.h"

#include <stdio.h>
#include <strings.h>

/* A pyvenv.cfg has a few hundred bytes. A larger file is none. */
#define MAX_CFG 65536

struct version {
	unsigned major, minor;
	bool free_threaded;
};

static int no_memory(struct px_why *why)
{
	return px_because(why, -ENOMEM, "out of memory");
}

/* Parses a number of at most three digits at *p, and moves *p behind it. */
static bool take_number(const char **p, unsigned *ret)
{
	const size_t n = strspn(*p, "0123456789");

	*ret = (unsigned)strtoul(*p, NULL, 10);
	*p += n;
	return n > 0 && n <= 3;
}

/* Parses "3.12" at *p, and moves *p behind it. */
static bool take_version(const char **p, struct version *ret)
{
	*ret = (struct version){0};
	if (!take_number(p, &ret->major) || **p != '.')
		return false;
	++*p;
	return take_number(p, &ret->minor);
}

/* Whether `name`, of `n` bytes, is pythonX.Y or pythonX.Yt. */
static bool is_python_name(const char *name, size_t n, struct version *ret)
{
	const char *p = name + 6;

	if (n < 6 || strncmp(name, "python", 6) != 0 || !take_version(&p, ret))
		return false;
	ret->free_threaded = *p == 't';
	p += ret->free_threaded;
	return p == name + n;
}

static bool is_same(const struct version *a, const struct version *b)
{
	return a->major == b->major && a->minor == b->minor;
}

/* ----------------------------------------------------------- pyvenv.cfg */

/* If the line `text` is "KEY = VALUE", cuts it into the two, without blanks
 * around them. */
static bool split_line(char *text, char **key, char **value)
{
	static const char blanks[] = " \t\r";
	char *equals = strchr(text, '=');

	if (!equals)
		return false;
	*equals = '\0';
	*key = text + strspn(text, blanks);
	(*key)[strcspn(*key, blanks)] = '\0';
	*value = equals + 1 + strspn(equals + 1, blanks);
	(*value)[strcspn(*value, blanks)] = '\0';
	return true;
}

/* The version in the text of a pyvenv.cfg. `venv` writes it as "version", uv
 * and virtualenv as "version_info" (docs of Python 3.14, "site"; virtualenv
 * 20.31, src/virtualenv/create/pyenv_cfg.py). False if there is none, or if it
 * is that of another implementation than CPython. */
static bool find_version(char *text, struct version *ret)
{
	char *line, *next = text, *key, *value;
	struct version v = {0};
	bool found = false;

	while ((line = strsep(&next, "\n"))) {
		const char *p;

		if (!split_line(line, &key, &value))
			continue;
		p = value;
		if (strcasecmp(key, "implementation") == 0 &&
		    strcasecmp(value, "cpython") != 0)
			return false;
		if ((strcasecmp(key, "version") == 0 ||
		     strcasecmp(key, "version_info") == 0) &&
		    take_version(&p, &v) && (*p == '\0' || *p == '.')) {
			*ret = v;
			found = true;
		}
	}
	return found;
}

/* Reads the pyvenv.cfg of the directory `t`. Returns 1 with the version in
 * *ret, 0 if it says none, -ENOENT if there is no such file that may be
 * believed (see venv.h). `owner` is the owner of SOURCE. */
static int read_cfg(struct px_tree *t, uid_t owner, struct version *ret)
{
	PX_AUTO(px_buf_fini) struct px_buf b = {.max = MAX_CFG};
	struct px_stat st;

	if (px_tree_read(t, "pyvenv.cfg", &b, &st) < 0)
		return -ENOENT;
	if (st.uid != 0 && st.uid != geteuid() && st.uid != owner)
		return -ENOENT;
	if (px_buf_add(&b, "", 1) < 0)
		return -ENOENT;
	return find_version((char *)b.data, ret);
}

/* Looks for the directories lib/pythonX.Y of the directory `t`: all of them, or
 * those of the version `want`. Returns how many there are; the last is in *ret.
 */
static int find_lib(struct px_tree *t, const struct version *want,
		    struct version *ret)
{
	struct px_listing l;
	struct version v = {0};
	int n = 0;

	if (px_tree_list(t, "lib", PX_LIST_KINDS, &l) < 0)
		return 0;
	for (size_t i = 0; i < l.n; i++) {
		const char *name = l.names[i].name;

		if (l.names[i].type != PX_TYPE_DIR ||
		    !is_python_name(name, strlen(name), &v) ||
		    (want && !is_same(want, &v)))
			continue;
		*ret = v;
		n++;
	}
	px_listing_fini(&l);
	return n;
}

/* What the venv `t` says: its pyvenv.cfg, and its lib/pythonX.Y about what is
 * not in there, a version or that it is free-threaded. Returns as read_cfg. */
static int ask_venv(struct px_tree *t, uid_t owner, struct version *ret)
{
	struct version cfg = {0}, lib = {0};
	const int r = read_cfg(t, owner, &cfg);

	if (r < 0)
		return r;
	if (find_lib(t, r > 0 ? &cfg : NULL, &lib) == 1) {
		*ret = lib;
		return 1;
	}
	*ret = cfg;
	return r;
}

/* ---------------------------------------------------------- the version */

static void print_version(const struct version *v, char *buf, size_t n)
{
	snprintf(buf, n, "%u.%u%s", v->major, v->minor,
		 v->free_threaded ? "t" : "");
}

static int say(struct px_venv *ret, const struct version *v, const char *by,
	       const char *file, struct px_why *why)
{
	free(PX_STEAL(ret->says));
	print_version(v, ret->version, sizeof(ret->version));
	if (asprintf(&ret->says, "%s%s says Python %s", by, file,
		     ret->version) >= 0)
		return 0;
	ret->says = NULL;
	return no_memory(why);
}

/* Whether `dir` is the directory lib/pythonX.Y of `venv`, both of which are
 * directories above the same one. */
static bool is_lib_of(const char *dir, const char *venv)
{
	const size_t n = strlen(venv);

	return strncmp(dir, venv, n) == 0 &&
	       (strncmp(dir + n, "/lib/python", 11) == 0 ||
		strncmp(dir + n, "/lib64/python", 13) == 0) &&
	       !strchr(strstr(dir + n, "/python") + 1, '/');
}

static int contradiction(const char *venv, const char *dir,
			 const struct version *cfg, const char *named,
			 struct px_why *why)
{
	char version[24];

	print_version(cfg, version, sizeof(version));
	return px_because(why, -EINVAL,
			  "%s/pyvenv.cfg says Python %s, but SOURCE is in %s: "
			  "name the Python that will run it, with --python %s "
			  "or --python %s",
			  venv, version, dir, version, named);
}

/* What has been found on the way up. */
struct search {
	uid_t owner; /* of SOURCE */
	/* The directory pythonX.Y that has said the version; NULL: it was not
	 * said by one. */
	char *named;
	struct version version; /* of `named` */
	struct px_venv *ret;
};

/* Looks for a pyvenv.cfg in `dir`. */
static int look_at_cfg(struct search *s, const char *dir, struct px_why *why)
{
	struct px_tree *t = NULL;
	struct version v = {0};
	int r;

	if (px_tree_open(dir, &t, NULL) < 0)
		return 0;
	r = ask_venv(t, s->owner, &v);
	px_tree_close(t);
	if (r >= 0 && !s->ret->dir) {
		s->ret->dir = strdup(dir);
		if (!s->ret->dir)
			return no_memory(why);
	}
	if (r <= 0)
		return 0;
	if (!s->ret->says)
		return say(s->ret, &v, dir, "/pyvenv.cfg", why);
	if (!s->named || !is_lib_of(s->named, dir))
		return 0;
	if (!is_same(&v, &s->version))
		return contradiction(dir, s->named, &v, s->ret->version, why);
	return say(s->ret, &s->version, dir, "/pyvenv.cfg", why);
}

/* Whether `dir` is called pythonX.Y, and nothing nearer said a version. */
static int look_at_name(struct search *s, const char *dir, struct px_why *why)
{
	const char *name = px_path_name(dir);

	if (s->ret->says || !is_python_name(name, strlen(name), &s->version))
		return 0;
	s->named = strdup(dir);
	if (!s->named)
		return no_memory(why);
	return say(s->ret, &s->version, "the path ", dir, why);
}

/* Looks at `source` and at each directory above it. */
static int look_above(struct search *s, const char *source, struct px_why *why)
{
	PX_AUTOFREE char *dir = strdup(source);
	size_t n;
	int r = 0;

	if (!dir)
		return no_memory(why);
	while (r == 0) {
		r = look_at_cfg(s, *dir ? dir : "/", why);
		if (r == 0)
			r = look_at_name(s, dir, why);
		n = px_path_parent_length(dir);
		if (*dir == '\0')
			break;
		dir[n] = '\0';
	}
	return r;
}

/* Takes the version of the activated venv `active`, in which `source` is. */
static int look_at_active(const char *source, const char *active,
			  struct px_venv *ret, struct px_why *why)
{
	PX_AUTOFREE char *real = realpath(active, NULL);
	struct px_tree *t = NULL;
	struct version v = {0};
	int n;

	if (!real || !px_path_inside(source, real) ||
	    px_tree_open(real, &t, NULL) < 0)
		return 0;
	n = find_lib(t, NULL, &v);
	px_tree_close(t);
	if (!ret->dir) {
		ret->dir = PX_STEAL(real);
		real = strdup(ret->dir);
	}
	if (!real)
		return no_memory(why);
	return n == 1 ? say(ret, &v, "VIRTUAL_ENV=", real, why) : 0;
}

int px_venv_find(const char *source, const char *active, struct px_venv *ret,
		 struct px_why *why)
{
	struct search s = {.ret = ret};
	struct px_tree *t = NULL;
	struct px_stat st;
	int r;

	if (px_tree_open(source, &t, NULL) < 0)
		return 0;
	r = px_tree_stat(t, "", &st);
	px_tree_close(t);
	if (r < 0)
		return 0;
	s.owner = st.uid;
	r = look_above(&s, source, why);
	free(s.named);
	if (r == 0 && !ret->says && active && *active == '/')
		r = look_at_active(source, active, ret, why);
	return r;
}

void px_venv_fini(struct px_venv *v)
{
	free(v->dir);
	free(v->says);
	*v = (struct px_venv){0};
}

/* -------------------------------------------------------- site-packages */

/* The site-packages of the venv `t`, if it has one, and only one. `way_out` is
 * what the user may do besides naming a directory. */
static int site_of(struct px_tree *t, const struct version *said,
		   const char *way_out, char **ret, struct px_why *why)
{
	const char *root = px_tree_root(t);
	struct version v = {0};
	struct px_stat st;
	char number[24], below[64];
	int n = find_lib(t, said, &v);

	if (n == 0)
		n = find_lib(t, NULL, &v);
	print_version(&v, number, sizeof(number));
	snprintf(below, sizeof(below), "lib/python%s/site-packages", number);
	if (n > 1)
		return px_because(why, -ENOENT,
				  "%s is a venv with several lib/pythonX.Y: "
				  "name the site-packages to ship%s",
				  root, way_out);
	if (n == 0 || px_tree_stat(t, below, &st) < 0 || st.type != PX_TYPE_DIR)
		return px_because(why, -ENOENT,
				  "%s is a venv (it has a pyvenv.cfg), but "
				  "there is no directory lib/pythonX.Y/"
				  "site-packages in it: name the directory to "
				  "ship%s",
				  root, way_out);
	if (asprintf(ret, "%s/%s", strcmp(root, "/") == 0 ? "" : root, below) <
	    0)
		return no_memory(why);
	return 1;
}

/* As px_venv_site, for a directory that is open, and not for a project. */
static int site_if_venv(struct px_tree *t, const char *way_out, char **ret,
			struct px_why *why)
{
	struct version v = {0};
	struct px_stat st;
	int r = px_tree_stat(t, "", &st);

	if (r == 0)
		r = read_cfg(t, st.uid, &v);
	return r < 0 ? 0 : site_of(t, r > 0 ? &v : NULL, way_out, ret, why);
}

/* As px_venv_site, for the .venv of the directory `t`. */
static int site_of_project(struct px_tree *t, char **ret, struct px_why *why)
{
	PX_AUTOFREE char *path = px_path_join(px_tree_root(t), ".venv");
	struct px_tree *venv = NULL;
	struct px_stat st;
	int r = 0;

	if (!path)
		return no_memory(why);
	if (px_tree_stat(t, ".venv", &st) < 0 || st.type != PX_TYPE_DIR ||
	    px_tree_open(path, &venv, NULL) < 0)
		return 0;
	/* It may have become a link meanwhile. */
	if (strcmp(px_tree_root(venv), path) == 0)
		r = site_if_venv(venv, ", or say --exclude .venv", ret, why);
	px_tree_close(venv);
	return r;
}

int px_venv_site(const char *path, bool project, char **ret, struct px_why *why)
{
	struct px_tree *t = NULL;
	int r;

	if (px_tree_open(path, &t, NULL) < 0)
		return 0;
	r = site_if_venv(t, "", ret, why);
	if (r == 0 && project)
		r = site_of_project(t, ret, why);
	px_tree_close(t);
	return r;
}
