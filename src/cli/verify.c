/* SPDX-License-Identifier: MIT */
#include "statement.h"
#include "stripper.h"

#include "pycfs/child.h"
#include "pycfs/engine.h"
#include "pycfs/export.h"
#include "pycfs/json.h"
#include "pycfs/log.h"
#include "pycfs/temp.h"
#include "pycfs/term.h"
#include "pycfs/unarchive.h"
#include "pycfs/verbs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#define PROGRESS_MS 100

/* What a file of the layer can be. */
enum verdict {
	CHANGED, /* other bytes than the manifest says */
	MISSING, /* the manifest has it, the layer does not */
	EXTRA,	 /* the other way round */
	SOURCE,	 /* SOURCE is another one */
	REMADE,	 /* the same source gives other bytes here */
	UNMADE,	 /* SOURCE does not give it at all */
	UNSAID,	 /* SOURCE gives one that the manifest does not have */
};

static const struct {
	const char *word, *text;
} verdicts[] = {
	[CHANGED] = {"changed", "is not what the manifest says"},
	[MISSING] = {"missing", "is in the manifest, but not in the layer"},
	[EXTRA] = {"extra", "is in the layer, but not in the manifest"},
	[SOURCE] = {"source", "was made of another source than is here"},
	[REMADE] = {"remade", "comes out otherwise, of the same source"},
	[UNMADE] = {"unmade", "does not come out of this source"},
	[UNSAID] = {"unsaid", "comes out of this source, but is not in the "
			      "manifest"},
};

struct finding {
	enum verdict verdict;
	const struct px_account_file *file;
};

struct verifying {
	struct px_opt *o;
	const char *layer;
	struct px_statement said;
	struct px_account layer_has, made;
	struct px_engine engine;
	char *temp; /* a directory of ours; NULL: there is none */
	struct finding *findings;
	size_t n_findings, room;
	bool is_dir;
	bool archive_differs;
	int signal_fd;
	bool shows;
	int64_t shown; /* px_now_ms */
};

/* --------------------------------------------------------------- progress */

/* Whether progress is to be shown now. *ret_stopped: a signal has come. */
static bool is_due(struct verifying *v, bool *ret_stopped)
{
	const int64_t now = px_now_ms();
	struct signalfd_siginfo si;

	*ret_stopped = false;
	if (now - v->shown < PROGRESS_MS)
		return false;
	v->shown = now;
	*ret_stopped = read(v->signal_fd, &si, sizeof(si)) > 0;
	return v->shows;
}

static bool tick(void *arg)
{
	struct verifying *v = arg;
	bool stopped;

	if (is_due(v, &stopped))
		fprintf(stderr, "\r%zu files read\033[K", v->layer_has.n);
	return !stopped;
}

static bool tick_export(void *arg, const struct px_export_progress *p)
{
	struct verifying *v = arg;
	bool stopped;

	if (is_due(v, &stopped))
		fprintf(stderr, "\r%llu files made again, of %zu\033[K",
			(unsigned long long)p->files, v->said.account.n);
	return !stopped && !px_engine_is_unfit(&v->engine);
}

static void give_up(void *arg)
{
	struct verifying *v = arg;

	px_engine_quiet(&v->engine);
}

/* -------------------------------------------------------------- the layer */

/* Unpacks the archive into a directory of ours, the path of which is *ret. */
static int unpack(struct verifying *v, const char *path, char **ret,
		  struct px_why *why)
{
	const char *tmp = getenv("TMPDIR");
	PX_AUTOFREE char *name = px_path_join(tmp && *tmp == '/' ? tmp : "/tmp",
					      "pycfs-verify-XXXXXX");
	struct px_unarchive *u = NULL;
	int r;

	if (!name)
		return px_because(why, -ENOMEM, "out of memory");
	r = px_unarchive_open(path, &u, why);
	if (r == 0 && !mkdtemp(name))
		r = px_because(why, -errno, "cannot make %s: %s", name,
			       strerror(errno));
	if (r == 0) {
		v->temp = realpath(name, NULL);
		*ret = v->temp ? strdup(v->temp) : NULL;
		r = *ret ? px_unarchive_to(u, *ret, why)
			 : px_because(why, -errno, "%s: %s", name,
				      strerror(errno));
	}
	px_unarchive_close(u);
	return r;
}

static int digest_archive(struct verifying *v, const char *path,
			  struct px_why *why)
{
	PX_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t sha256[PX_SHA256_SIZE];
	int r = fd < 0 ? -errno : px_account_digest(fd, sha256);

	if (r < 0)
		return px_because(why, r, "%s: %s", path, strerror(-r));
	v->archive_differs = v->said.archive && memcmp(sha256, v->said.sha256,
						       sizeof(sha256)) != 0;
	return 0;
}

static int read_layer(struct verifying *v, struct px_why *why)
{
	PX_AUTOFREE char *dir = NULL;
	struct px_tree *tree = NULL;
	struct stat st;
	int r = 0;

	if (stat(v->layer, &st) < 0)
		return px_because(why, -errno, "%s: %s", v->layer,
				  strerror(errno));
	v->is_dir = S_ISDIR(st.st_mode);
	if (!v->is_dir) {
		r = digest_archive(v, v->layer, why);
		if (r == 0)
			r = unpack(v, v->layer, &dir, why);
	}
	if (r == 0)
		r = px_tree_open(dir ? dir : v->layer, &tree, why);
	if (r == 0)
		r = px_account_read(&v->layer_has, tree, tick, v, why);
	px_tree_close(tree);
	px_account_sort(&v->layer_has);
	return r;
}

/* ------------------------------------------------------------ making again */

static int fits(const struct verifying *v, struct px_why *why)
{
	const struct px_python *py = v->engine.choice.python;
	char version[32];

	px_python_short(py, version, sizeof(version));
	if (py->magic != v->said.magic)
		return px_because(why, -EPROTONOSUPPORT,
				  "the layer was made with Python %s, whose "
				  "bytecode is another than that of %s (%s): "
				  "say --python %s",
				  v->said.python, version, px_python_path(py),
				  v->said.python);
	if (strcmp(py->canary, v->said.canary) != 0)
		px_log(PX_LOG_WARNING,
		       "the layer was made with Python %s, which compiles "
		       "otherwise than this %s: modules may come out "
		       "otherwise",
		       v->said.python, version);
	if (v->o->stripper && v->said.strip &&
	    strcmp(v->said.strip, px_strip_tools(v->o->stripper)) != 0)
		px_log(PX_LOG_WARNING,
		       "libraries were stripped by %s, and here by %s: they "
		       "may "
		       "come out otherwise (--strip-tool)",
		       v->said.strip, px_strip_tools(v->o->stripper));
	if (strcmp(v->said.pycfs, PX_VERSION) != 0)
		px_log(PX_LOG_WARNING,
		       "the layer was made with pycfs %s, and this is %s",
		       v->said.pycfs, PX_VERSION);
	return 0;
}

static int export_nowhere(struct verifying *v, struct px_why *why)
{
	PX_AUTOCLOSE int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct px_export_summary sum = {.total = {0}};
	struct px_sink *sink = NULL;
	struct px_why unable;
	int r, ready;

	if (nowhere < 0)
		return px_because(why, -errno, "/dev/null: %s",
				  strerror(errno));
	r = px_sink_open(&(struct px_sink_options){.fd = nowhere}, &sink, why);
	if (r < 0)
		return r;
	r = px_export(
		&(struct px_export_options){
			.content = v->engine.content,
			.tree = v->engine.tree,
			.sink = sink,
			.dest = "the layer",
			.jobs = px_engine_jobs(v->o),
			.prefix_dir = v->o->prefix_dir,
			.scripts = v->engine.scripts,
			.account = &v->made,
			.tick = tick_export,
			.give_up = give_up,
			.tick_arg = v,
		},
		&sum, why);
	ready = px_engine_ready(&v->engine, &unable);
	if (ready < 0 && ready != -ECANCELED) {
		*why = unable;
		r = ready;
	}
	px_export_summary_fini(&sum);
	px_sink_free(sink);
	px_account_sort(&v->made);
	return r;
}

static int make_again(struct verifying *v, struct px_why *why)
{
	struct px_opt *o = v->o;
	const struct px_engine_needs needs = {
		.ahead = o->on_error != PX_ON_ERROR_FAIL,
		.ahead_tree = o->on_error != PX_ON_ERROR_FAIL,
		.immutable = true,
		.later = true,
		.silent = true,
		.gathers = true,
	};
	int r = px_engine_start(&v->engine, o, o->args[0], &needs, why);

	if (r == 0)
		r = fits(v, why);
	return r < 0 ? r : export_nowhere(v, why);
}

/* --------------------------------------------------------------- comparing */

static int add(struct verifying *v, enum verdict verdict,
	       const struct px_account_file *file)
{
	struct finding *all = v->findings;

	if (v->n_findings == v->room) {
		const size_t room = v->room ? v->room * 2 : 64;

		all = reallocarray(all, room, sizeof(*all));
		if (!all)
			return -ENOMEM;
		v->findings = all;
		v->room = room;
	}
	all[v->n_findings++] = (struct finding){verdict, file};
	return 0;
}

static bool same(const struct px_account_file *a,
		 const struct px_account_file *b)
{
	return a->is_link == b->is_link &&
	       memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
}

static bool same_source(const struct px_account_file *said,
			const struct px_account_file *made)
{
	if (said->made != made->made)
		return true;
	return said->made ? memcmp(said->source_sha256, made->source_sha256,
				   sizeof(said->source_sha256)) == 0
			  : same(said, made);
}

/* Compares what the manifest says with what `has` has; `only_said`, `only_had`
 * and `differs` are what is found then. Both are in order. */
static int compare(struct verifying *v, const struct px_account *has,
		   enum verdict only_said, enum verdict only_had,
		   enum verdict differs)
{
	const struct px_account *said = &v->said.account;
	size_t i = 0, k = 0;
	int r = 0;

	while (r == 0 && (i < said->n || k < has->n)) {
		const struct px_account_file *a = &said->all[i];
		const struct px_account_file *b = &has->all[k];
		const int c = i == said->n  ? 1
			      : k == has->n ? -1
					    : strcmp(a->path, b->path);

		if (c < 0)
			r = add(v, only_said, a);
		else if (c > 0)
			r = add(v, only_had, b);
		else if (differs == REMADE && !same_source(a, b))
			r = add(v, SOURCE, a);
		else if (!same(a, b))
			r = add(v, differs, a);
		i += c <= 0;
		k += c >= 0;
	}
	return r;
}

/* ---------------------------------------------------------------- printing */

static void print_json(const struct verifying *v)
{
	const bool made = v->o->source != NULL;
	char version[32];

	printf("{\"version\": 1, \"good\": %s, \"layer\": ",
	       v->n_findings || v->archive_differs ? "false" : "true");
	px_json_string(stdout, v->layer);
	fputs(", \"manifest\": ", stdout);
	px_json_string(stdout, v->o->manifest);
	fputs(", \"source\": ", stdout);
	if (made)
		px_json_string(stdout, v->o->args[0]);
	else
		fputs("null", stdout);
	if (made)
		printf(", \"python\": \"%s\"",
		       px_python_short(v->engine.choice.python, version,
				       sizeof(version)));
	printf(", \"files\": %zu, \"archive\": %s, \"differences\": [",
	       v->said.account.n,
	       v->is_dir || !v->said.archive ? "null"
	       : v->archive_differs	     ? "\"other\""
					     : "\"same\"");
	for (size_t i = 0; i < v->n_findings; i++) {
		const struct finding *f = &v->findings[i];

		printf("%s\n {\"what\": \"%s\", \"path\": ", i ? "," : "",
		       verdicts[f->verdict].word);
		px_json_string(stdout, f->file->path);
		fputs(", \"source\": ", stdout);
		px_json_string(stdout, f->file->source);
		putchar('}');
	}
	puts("]}");
}

static void print(const struct verifying *v)
{
	for (size_t i = 0; i < v->n_findings; i++) {
		const struct finding *f = &v->findings[i];

		px_print_clean(f->file->path);
		printf(" %s", verdicts[f->verdict].text);
		if (f->verdict == SOURCE) {
			fputs(": ", stdout);
			px_print_clean(f->file->source);
		}
		putchar('\n');
	}
}

/* Says what was found. Returns the exit status. */
static int conclude(const struct verifying *v)
{
	const size_t n = v->n_findings;
	char version[32];

	if (v->o->json)
		print_json(v);
	else
		print(v);
	if (n > 0 || v->archive_differs) {
		px_log(PX_LOG_ERROR, "%s: %zu difference%s%s", v->layer, n,
		       n == 1 ? "" : "s",
		       !v->archive_differs ? ""
		       : n > 0 ? ", and the archive itself is another one"
			       : ", but the archive itself is another one than "
				 "the manifest names");
		return PX_EXIT_FOUND;
	}
	if (v->o->source)
		px_log(PX_LOG_NOTICE,
		       "%s: %zu files are what the manifest says, and what %s "
		       "gives with Python %s",
		       v->layer, v->said.account.n, v->o->args[0],
		       px_python_short(v->engine.choice.python, version,
				       sizeof(version)));
	else
		px_log(PX_LOG_NOTICE,
		       "%s: %zu files are what the manifest says; whether they "
		       "come from a source was not asked (--source)",
		       v->layer, v->said.account.n);
	return 0;
}

/* ----------------------------------------------------------------- running */

static int verify(struct verifying *v, struct px_why *why)
{
	int r = read_layer(v, why);

	if (r == 0)
		r = compare(v, &v->layer_has, MISSING, EXTRA, CHANGED);
	if (r == 0 && v->o->source) {
		r = make_again(v, why);
		if (r < 0)
			return r;
		r = compare(v, &v->made, UNMADE, UNSAID, REMADE);
	}
	return r == -ENOMEM ? px_because(why, r, "out of memory") : r;
}

static void finish(struct verifying *v)
{
	if (v->shows)
		fputs("\r\033[K", stderr);
	px_engine_quiet(&v->engine);
	px_engine_stop(&v->engine);
	if (v->temp)
		px_temp_remove(v->temp);
	free(v->temp);
	free(v->findings);
	px_account_fini(&v->layer_has);
	px_account_fini(&v->made);
}

static int work(void *arg, int signal_fd)
{
	struct verifying v = *(const struct verifying *)arg;
	struct px_why why;
	int r, status;

	v.signal_fd = signal_fd;
	v.shows = isatty(STDERR_FILENO) && !v.o->quiet;
	r = verify(&v, &why);
	if (v.shows)
		fputs("\r\033[K", stderr);
	if (r == 0)
		status = conclude(&v);
	else if (r == -EADDRINUSE)
		status = PX_EXIT_PID_TAKEN;
	else
		status = px_fail(PX_EXIT_FAILED, &why);
	if (r == 0 && fflush(stdout) != 0)
		status = px_fail(PX_EXIT_FAILED,
				 (px_because(&why, -errno, "stdout: %s",
					     strerror(errno)),
				  &why));
	finish(&v);
	return status;
}

/* The minor version, "3.12" of "3.12.1": releases of one compile alike. */
static char *minor_of(const char *version)
{
	const char *dot = strchr(version, '.');
	const char *end = dot ? strchr(dot + 1, '.') : NULL;

	return strndup(version,
		       end ? (size_t)(end - version) : strlen(version));
}

/* Puts SOURCE in the place of LAYER, and into `o` what the manifest says. */
static int prepare(struct verifying *v, char **minor, struct px_why *why)
{
	struct px_opt *o = v->o;
	int r = px_statement_read(o->manifest, &v->said, why);

	if (r < 0 || !o->source)
		return r;
	r = px_statement_apply(&v->said, o, why);
	if (r == 0)
		r = px_stripper_find(o, why);
	if (r < 0)
		return r;
	if (!o->python) {
		*minor = minor_of(v->said.python);
		o->python = *minor;
	}
	o->args[0] = (char *)(uintptr_t)o->source;
	return px_choose_source(o, why);
}

int px_cmd_verify(struct px_opt *o)
{
	struct verifying v = {.o = o, .layer = o->args[0]};
	PX_AUTOFREE char *minor = NULL;
	struct px_why why;
	int r, status;

	if (!o->manifest) {
		px_because(&why, -EINVAL,
			   "say --manifest FILE: what pycfs export --manifest "
			   "wrote beside the layer");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	r = prepare(&v, &minor, &why);
	signal(SIGPIPE, SIG_IGN);
	status = r < 0 ? px_fail(PX_EXIT_FAILED, &why)
		       : px_run_in_child(work, &v, "nothing was verified");
	px_statement_fini(&v.said);
	return status;
}
