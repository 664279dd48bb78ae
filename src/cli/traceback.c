/* SPDX-License-Identifier: MIT */
#include "pycfs/verbs.h"
#include "opt_table.h"
#include "trace.h"

#include "pycfs/log.h"
#include "pycfs/term.h"

#include <stdio.h>

/* The longest line of a log that is looked at, in bytes. Longer ones are
 * copied. */
#define MAX_LINE (1u << 16)

struct running {
	struct px_texts *texts; /* NULL: the log is only copied */
	FILE *spool;		/* if not NULL: what is read is copied here */
	bool only_wants;	/* tell `texts` of the frames, print nothing */
	bool cleans;		/* stdout is a terminal */
	bool missing;		/* some frame of ours stays as it is */

	char buffer[MAX_LINE];
	size_t used;  /* bytes of it */
	bool in_long; /* the rest of a long line is to be copied */

	/* A frame whose next line is not known yet. */
	bool has_frame;
	struct px_frame_line frame;
	char line[MAX_LINE];  /* of the frame, without its end */
	const char *line_end; /* how it ends: "\n", "\r\n" or "" */
};

/* -------------------------------------------------------------- printing */

static void print(const struct running *run, const char *data, size_t n)
{
	if (!run->only_wants)
		fwrite(data, 1, n, stdout);
}

static void print_source(const struct running *run, const char *text, size_t n)
{
	PX_AUTOFREE char *copy = run->cleans ? strndup(text, n) : NULL;
	const char *first = *run->line_end ? "" : "\n";

	fputs(first, stdout);
	fwrite(run->line, 1, run->frame.before, stdout);
	fputs("    ", stdout);
	if (copy)
		px_print_clean(copy);
	else
		fwrite(text, 1, n, stdout);
	fputs(run->line_end, stdout);
}

/* Ends the frame that waits, if there is one: `line` is what follows it, NULL
 * at the end of the log. */
static void end_frame(struct running *run, const char *line, size_t n)
{
	const char *text;
	size_t text_n;

	if (!run->has_frame)
		return;
	run->has_frame = false;
	if (line && px_frame_is_source(run->line, run->frame.before, line, n))
		return;
	switch (px_texts_line(run->texts, run->frame.path, run->frame.path_size,
			      run->frame.number, &text, &text_n)) {
	case PX_TEXT_LINE:
		if (text_n > 0)
			print_source(run, text, text_n);
		break;
	case PX_TEXT_MISSING:
		run->missing = true;
		break;
	case PX_TEXT_NOT_OURS:
		break;
	}
}

/* --------------------------------------------------------------- reading */

/* Takes a line of `n` bytes with its newline, if it has one. */
static int take_line(struct running *run, const char *line, size_t n)
{
	const bool whole = n > 0 && line[n - 1] == '\n';
	const size_t m = whole ? n - 1 : n;
	struct px_frame_line f;

	if (!run->only_wants)
		end_frame(run, line, m);
	print(run, line, n);
	if (!run->texts || !px_frame_line(line, m, &f))
		return 0;
	if (run->only_wants)
		return px_texts_want(run->texts, f.path, f.path_size);
	memcpy(run->line, line, m);
	run->frame = f;
	run->frame.path = run->line + (f.path - line);
	run->line_end = !whole			       ? ""
			: m > 0 && line[m - 1] == '\r' ? "\r\n"
						       : "\n";
	run->has_frame = true;
	return 0;
}

/* Takes the lines that are complete out of the buffer. */
static int take_lines(struct running *run)
{
	const char *at = run->buffer, *end = at + run->used, *newline;
	int r = 0;

	while (r == 0) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			break;
		if (run->in_long)
			print(run, at, (size_t)(newline + 1 - at));
		else
			r = take_line(run, at, (size_t)(newline + 1 - at));
		run->in_long = false;
		at = newline + 1;
	}
	run->used = (size_t)(end - at);
	memmove(run->buffer, at, run->used);
	if (run->used < sizeof(run->buffer) && !run->in_long)
		return r;
	/* The beginning of a long line, or more of it. */
	if (!run->in_long && !run->only_wants)
		end_frame(run, run->buffer, run->used);
	print(run, run->buffer, run->used);
	run->in_long = true;
	run->used = 0;
	return r;
}

/* Reads `fd` to its end. Returns 0, or -errno with a sentence in `why`. */
static int read_log(struct running *run, int fd, struct px_why *why)
{
	ssize_t n;
	int r = 0;

	run->used = 0;
	run->in_long = false;
	for (;;) {
		n = read(fd, run->buffer + run->used,
			 sizeof(run->buffer) - run->used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return px_because(why, -errno, "stdin: %s",
					  strerror(errno));
		if (run->spool && n > 0 &&
		    fwrite(run->buffer + run->used, 1, (size_t)n, run->spool) !=
			    (size_t)n)
			return px_because(why, -errno,
					  "cannot keep the log for a second "
					  "look: %s",
					  strerror(errno));
		run->used += (size_t)n;
		r = n > 0 ? take_lines(run) : 0;
		if (r == 0 && n == 0 && run->used > 0)
			r = take_line(run, run->buffer, run->used);
		if (r < 0)
			return px_because(why, r, "%s", strerror(-r));
		if (n == 0 && !run->only_wants)
			end_frame(run, NULL, 0);
		if (!run->only_wants && fflush(stdout) != 0)
			return px_because(why, -errno, "stdout: %s",
					  strerror(errno));
		if (n == 0)
			return 0;
	}
}

/* Reads the log once, for the files that it names, and leaves *ret_fd where it
 * begins again. */
static int collect(struct running *run, int *ret_fd, struct px_why *why)
{
	const off_t from = lseek(STDIN_FILENO, 0, SEEK_CUR);
	int r;

	if (from < 0) {
		run->spool = tmpfile();
		if (!run->spool)
			return px_because(why, -errno,
					  "no temporary file for the log: %s",
					  strerror(errno));
	}
	run->only_wants = true;
	r = read_log(run, STDIN_FILENO, why);
	run->only_wants = false;
	if (r < 0)
		return r;
	*ret_fd = from < 0 ? fileno(run->spool) : STDIN_FILENO;
	if ((run->spool && fflush(run->spool) != 0) ||
	    lseek(*ret_fd, from < 0 ? 0 : from, SEEK_SET) < 0)
		return px_because(why, -errno,
				  "cannot read the log a second time: %s",
				  strerror(errno));
	return 0;
}

/* Copies the log, with the lines of the sources as far as they can be read. */
static int copy_log(struct running *run, struct px_why *why)
{
	FILE *spool = NULL;
	struct px_why bad;
	int fd = STDIN_FILENO, r = 0, copied;

	if (px_texts_is_archive(run->texts))
		r = collect(run, &fd, why);
	spool = PX_STEAL(run->spool);
	if (r == 0) {
		/* What cannot be read of the sources is an error, but the log
		 * itself is not to be lost for it. */
		r = px_texts_load(run->texts, why);
		if (r < 0) {
			px_texts_free(run->texts);
			run->texts = NULL;
		}
		copied = read_log(run, fd, r < 0 ? &bad : why);
		r = r < 0 ? r : copied;
	}
	if (spool)
		fclose(spool);
	return r;
}

int px_cmd_traceback(struct px_opt *o)
{
	/* Whoever gives no prefix has not taken the default from anywhere. */
	const struct px_texts_options options = {
		.sources = o->sources,
		.layer = o->layer,
		.prefix =
			o->prefix == px_opt_defaults.prefix ? NULL : o->prefix,
		.dir = o->prefix_dir == px_opt_defaults.prefix_dir
			       ? NULL
			       : o->prefix_dir,
	};
	struct running *run;
	struct px_why why, bad;
	int r, status;

	if (!o->sources) {
		px_because(&why, -EINVAL,
			   "say where the lines are: --sources FILE, as pycfs "
			   "export --sources wrote it, or a directory");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	run = calloc(1, sizeof(*run));
	if (!run) {
		px_because(&why, -ENOMEM, "out of memory");
		return px_fail(PX_EXIT_FAILED, &why);
	}
	run->cleans = isatty(STDOUT_FILENO);
	r = px_texts_open(&options, &run->texts, &why);
	if (r == 0)
		r = copy_log(run, &why);
	else
		read_log(run, STDIN_FILENO, &bad);
	if (r < 0)
		px_fail(0, &why);
	status = r < 0 ? PX_EXIT_FAILED : run->missing ? PX_EXIT_PARTLY : 0;
	px_texts_free(run->texts);
	free(run);
	return status;
}
