/* SPDX-License-Identifier: MIT */
#include "pycfs/choose.h"
#include "profile.h"

#include "pycfs/json.h"
#include "pycfs/log.h"
#include "pycfs/native.h"
#include "pycfs/venv.h"

static int no_memory(struct px_why *why)
{
	return px_because(why, -ENOMEM, "out of memory");
}

/* --------------------------------------------------------------- SOURCE */

/* Gives the string to `o`, which frees it at its end. */
static int keep(struct px_opt *o, char *text)
{
	char **kept = realloc(o->kept, (o->n_kept + 1) * sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	o->kept = kept;
	o->kept[o->n_kept++] = text;
	return 0;
}

static int find_site(struct px_opt *o, struct px_why *why)
{
	const bool project = !px_rules_excluded(o->rules, ".venv", true);
	PX_AUTOFREE char *site = NULL;
	PX_AUTOFREE char *given = NULL;
	int r = px_venv_site(o->args[0], project, &site, why);

	if (r <= 0)
		return r;
	given = realpath(o->args[0], NULL);
	if (!given || keep(o, given) < 0)
		return no_memory(why);
	o->found_in = PX_STEAL(given);
	if (keep(o, site) < 0)
		return no_memory(why);
	px_log(PX_LOG_NOTICE, "SOURCE is %s%s", site,
	       strstr(site + strlen(o->found_in), "/.venv/")
		       ? " (--exclude .venv takes the directory itself)"
		       : "");
	o->args[0] = PX_STEAL(site);
	return 0;
}

int px_choose_source(struct px_opt *o, struct px_why *why)
{
	int r = find_site(o, why);

	return r < 0 ? r : px_profile_settle(o, why);
}

/* --------------------------------------------------------------- Python */

/* Finds the Python that SOURCE itself asks for, or python3. */
static int find_for(const struct px_opt *o, const char *source,
		    const char *compiler, struct px_venv *venv,
		    struct px_choice *ret, struct px_why *why)
{
	const char *const avoid[] = {
		source,
		o->found_in ? o->found_in : source,
		venv->dir ? venv->dir : source,
		NULL,
	};
	struct px_why inner;
	const struct px_python_query query = {
		.spec = venv->says ? venv->version : NULL,
		.avoid = avoid,
		.compiler = compiler,
		.worker = o->worker,
	};
	int r = px_python_find(&query, &ret->python, &inner);

	if (r < 0)
		return venv->says ? px_because(why, r, "%s: %s", venv->says,
					       inner.text)
				  : px_because(why, r, "%s", inner.text);
	if (venv->says)
		ret->because = PX_STEAL(venv->says);
	else if (ret->python->executable)
		ret->because = strdup("nothing says which Python SOURCE is "
				      "for: python3 of PATH");
	else
		ret->because = strdup("there is no python3 in PATH: the one "
				      "pycfs was built with");
	return ret->because ? 0 : no_memory(why);
}

static int find_named(const struct px_opt *o, const char *compiler,
		      struct px_choice *ret, struct px_why *why)
{
	const struct px_python_query query = {
		.spec = o->python,
		.compiler = compiler,
		.worker = o->worker,
	};
	int r = px_python_find(&query, &ret->python, why);

	if (r < 0)
		return r;
	if (asprintf(&ret->because, "--python %s", o->python) >= 0)
		return 0;
	ret->because = NULL;
	return no_memory(why);
}

/* Where workers run in the interpreter is said wherever the Python is. */
static int tell_interpreter(struct px_choice *c, struct px_why *why)
{
	char *text;

	if (asprintf(&text, "%s; compiled in the interpreter's own program",
		     c->because) < 0)
		return no_memory(why);
	free(c->because);
	c->because = text;
	return 0;
}

int px_choose_python(const struct px_opt *o, const char *source,
		     const char *compiler, struct px_choice *ret,
		     struct px_why *why)
{
	PX_AUTO(px_venv_fini) struct px_venv venv = {.dir = NULL};
	char version[32];
	int r;

	if (o->python) {
		r = find_named(o, compiler, ret, why);
	} else {
		r = px_venv_find(source, getenv("VIRTUAL_ENV"), &venv, why);
		if (r == 0)
			r = find_for(o, source, compiler, &venv, ret, why);
	}
	if (r == 0 && !ret->python->libpython)
		r = tell_interpreter(ret, why);
	if (r == 0 && o->verbose)
		px_log(PX_LOG_INFO, "compile workers %s %s",
		       ret->python->libpython ? "load" : "run in",
		       px_python_file(ret->python));
	if (r == 0 && !o->python)
		px_log(PX_LOG_NOTICE, "compiling with Python %s (%s): %s",
		       px_python_short(ret->python, version, sizeof(version)),
		       px_python_path(ret->python), ret->because);
	return r;
}

void px_choice_fini(struct px_choice *c)
{
	px_python_free(c->python);
	free(c->because);
	*c = (struct px_choice){0};
}

void px_choice_print_json(const struct px_choice *c, FILE *to)
{
	char version[32];

	px_python_short(c->python, version, sizeof(version));
	fprintf(to, "\"python\": \"%s\", \"python_executable\": ", version);
	px_json_string(to, px_python_path(c->python));
	fputs(", \"python_because\": ", to);
	px_json_string(to, c->because);
}

int px_choose_check(const struct px_opt *o, struct px_tree *tree,
		    const struct px_choice *c, struct px_why *why)
{
	const struct px_python *py = c->python;
	PX_AUTOFREE char *other = NULL;
	struct px_native native;
	struct px_why said;
	char version[32];
	int r = px_native_look(tree, o->rules, py->hexversion >> 16 & 255,
			       py->free_threaded, &native);

	if (r < 0)
		return no_memory(why);
	other = native.other;
	if (native.fits || !other)
		return 0;
	r = px_because(&said, -EPROTONOSUPPORT,
		       "SOURCE has native modules for Python %s (%s), and none "
		       "for Python %s%s (%s, %s)",
		       native.version, other,
		       px_python_short(py, version, sizeof(version)),
		       py->free_threaded ? "t" : "", px_python_path(py),
		       c->because);
	if (!o->python)
		return px_because(why, r,
				  "%s: name the Python that will run it, with "
				  "--python %s, or --exclude them",
				  said.text, native.version);
	px_log(PX_LOG_WARNING, "%s: they cannot be imported there", said.text);
	return 0;
}
