/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "pycfs/child.h"
#include "pycfs/log.h"
#include "pycfs/temp.h"
#include "pycfs/term.h"
#include "pycfs/unarchive.h"
#include "pycfs/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

/* What px_check_confinement says where everything is to be had. */
#define CONFINED "network files processes "

/* ---------------------------------------------------------------- places */

/* Makes a directory in `parent`, which everybody may read. */
static char *make_dir(const char *parent, const char *name, mode_t mode)
{
	char *path = px_path_join(parent, name);

	if (path && (mkdir(path, mode) < 0 || chmod(path, mode) < 0))
		free(PX_STEAL(path));
	return path;
}

static int make_places(struct px_checking *c, struct px_why *why)
{
	const char *tmp = getenv("TMPDIR");
	PX_AUTOFREE char *name = px_path_join(tmp && *tmp == '/' ? tmp : "/tmp",
					      "pycfs-check-XXXXXX");

	if (!name)
		return px_because(why, -ENOMEM, "out of memory");
	if (!mkdtemp(name))
		return px_because(why, -errno, "cannot make %s: %s", name,
				  strerror(errno));
	c->temp = realpath(name, NULL);
	/* Under sudo the processes are those of the user who called it. */
	if (c->temp && chmod(c->temp, 0755) == 0)
		c->scratch = make_dir(c->temp, "scratch", 01777);
	return c->scratch ? 0
			  : px_because(why, -errno, "%s: %s", name,
				       strerror(errno));
}

/* ----------------------------------------------------------------- layer */

static int write_view(struct px_checking *c, struct px_why *why)
{
	PX_AUTOFREE char *dest = px_path_join(c->temp, "layer");
	int r = dest ? px_check_write_layer(c, c->o, dest, why)
		     : px_because(why, -ENOMEM, "out of memory");

	if (r == 0)
		c->layer = PX_STEAL(dest);
	return r;
}

/* Unpacks the archive `path` into our directory, and puts that in its place. */
static int unpack(struct px_checking *c, char **path, struct px_why *why)
{
	struct px_unarchive *u = NULL;
	char *dir;
	int r = px_unarchive_open(*path, &u, why);

	if (r < 0)
		return r;
	dir = make_dir(c->temp, "layer", 0755);
	if (!dir)
		r = px_because(why, -errno, "%s: %s", c->temp, strerror(errno));
	else
		r = px_unarchive_to(u, dir, why);
	px_unarchive_close(u);
	free(*path);
	*path = dir;
	return r;
}

/* Finds the modules in the layer that the user has named. */
static int take_layer(struct px_checking *c, struct px_why *why)
{
	PX_AUTOFREE char *source = realpath(c->source, NULL);
	PX_AUTOFREE char *layer = realpath(c->o->layer, NULL);
	const struct px_python *py;
	struct stat st;
	int r;

	if (!source || !layer || stat(layer, &st) < 0)
		return px_because(why, -errno, "%s: %s",
				  source ? c->o->layer : c->source,
				  strerror(errno));
	r = px_python_compiler(&c->compiler, why);
	if (r == 0)
		r = px_choose_python(c->o, source, c->compiler, &c->choice,
				     why);
	if (r == 0 && !S_ISDIR(st.st_mode))
		r = unpack(c, &layer, why);
	if (r < 0)
		return r;
	py = c->choice.python;
	return px_check_layer(layer, source,
			      &(struct px_check_target){
				      .magic = py->magic,
				      .minor = py->hexversion >> 16 & 255,
				      .free_threaded = py->free_threaded,
			      },
			      &c->layer, why);
}

/* ----------------------------------------------------------------- check */

static int look_at_confinement(struct px_checking *c, struct px_why *why)
{
	int r = px_check_confinement(c->compiler, c->confined);

	if (r < 0)
		return px_because(why, r, "%s: %s", c->compiler, strerror(-r));
	if (strcmp(c->confined, CONFINED) == 0) {
		px_log(PX_LOG_INFO, "what is imported runs without a network, "
				    "apart from other processes, and all files "
				    "are read-only to it");
		return 0;
	}
	px_log(PX_LOG_WARNING,
	       "this system gives no namespaces: what is imported runs with "
	       "this user's rights%s%s",
	       *c->confined ? ", but for: " : "", c->confined);
	return 0;
}

/* --------------------------------------------------------------- printing */

static int write_junit(const struct px_check_shown *shown, const char *path,
		       struct px_why *why)
{
	FILE *to = fopen(path, "we");
	int r;

	if (!to)
		return px_because(why, -errno, "%s: %s", path, strerror(errno));
	px_check_print_junit(shown, to);
	r = ferror(to) ? -EIO : 0;
	if (fclose(to) != 0 && r == 0)
		r = -errno;
	return r < 0 ? px_because(why, r, "%s: %s", path, strerror(-r)) : 0;
}

static int print(struct px_checking *c, struct px_why *why)
{
	const struct px_check_shown shown = {
		.source = c->source,
		.layer = c->o->layer,
		.choice = &c->choice,
		.confinement = c->confined,
		.seconds = (double)(px_now_ms() - c->started) / 1000,
		.result = &c->result,
	};
	int r = c->o->junit ? write_junit(&shown, c->o->junit, why) : 0;

	if (r < 0)
		return r;
	if (c->o->json)
		px_check_print_json(&shown, stdout);
	else
		/* The rules alone go to stdout, or what another verb prints. */
		px_check_print(&shown,
			       c->o->suggest || c->o->check ? stderr : stdout);
	if (c->o->suggest && c->result.n_findings > 0)
		r = px_check_suggest(c, why);
	if (r == 0 && fflush(stdout) != 0)
		r = px_because(why, -errno, "stdout: %s", strerror(errno));
	return r;
}

static void finish(struct px_checking *c)
{
	px_check_result_fini(&c->result);
	px_choice_fini(&c->choice);
	if (c->temp)
		px_temp_remove(c->temp);
	free(c->compiler);
	free(c->temp);
	free(c->layer);
	free(c->scratch);
}

static int work(void *arg, int signal_fd)
{
	const struct px_opt *o = arg;
	struct px_checking c = {
		.o = o,
		.source = o->args[0],
		.signal_fd = signal_fd,
		.shows = isatty(STDERR_FILENO) && !o->quiet,
		.started = px_now_ms(),
	};
	struct px_why why;
	int r = make_places(&c, &why);
	int status = 0;

	if (r == 0)
		r = o->layer ? take_layer(&c, &why) : write_view(&c, &why);
	if (r == 0)
		r = look_at_confinement(&c, &why);
	if (r == 0)
		r = px_check_try(&c, c.layer, 0, NULL, &c.result, &why);
	if (r == 0)
		r = print(&c, &why);
	if (r == 0)
		status = c.result.n_findings > 0 ? PX_EXIT_FOUND : 0;
	else if (r == -EADDRINUSE)
		status = PX_EXIT_PID_TAKEN;
	else
		status = px_fail(
			r == -ENOTSUP ? PX_EXIT_CANNOT : PX_EXIT_FAILED, &why);
	finish(&c);
	return status;
}

int px_check_first(const struct px_opt *given)
{
	struct px_opt o = *given;
	int status;

	o.layer = o.junit = NULL;
	o.json = o.suggest = false;
	o.n_args = 1;
	status = px_run_in_child(work, &o, "nothing was checked");
	if (status == PX_EXIT_FOUND)
		px_log(PX_LOG_ERROR,
		       "the layer does not do what its source does "
		       "('pycfs check --suggest' looks for rules that help)");
	return status;
}

int px_cmd_check(struct px_opt *o)
{
	struct px_why why;

	if (o->suggest && o->json)
		return px_fail(PX_EXIT_USAGE,
			       (px_because(&why, -EINVAL,
					   "--suggest prints rules on stdout, "
					   "and --json an object: leave out "
					   "one of them"),
				&why));
	if (px_choose_source(o, &why) < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	signal(SIGPIPE, SIG_IGN);
	return px_run_in_child(work, o, "nothing was checked");
}
