/* SPDX-License-Identifier: MIT */
#include "pycfs/log.h"

#include <limits.h>
#include <stdio.h>
#include <syslog.h>

/* Atomic, because a daemon switches to syslog after it has mounted, while other
 * threads may be logging. */
static struct {
	_Atomic enum px_log_sink sink;
	_Atomic enum px_log_level level;
} config = {PX_LOG_STDERR, PX_LOG_INFO};

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[PX_LOG_ERROR] = {"error", LOG_ERR},
	[PX_LOG_WARNING] = {"warning", LOG_WARNING},
	[PX_LOG_NOTICE] = {"notice", LOG_NOTICE},
	[PX_LOG_INFO] = {"info", LOG_INFO},
	[PX_LOG_DEBUG] = {"debug", LOG_DEBUG},
};

/* POSIX guarantees that a write of at most PIPE_BUF bytes to a pipe is not
 * split (POSIX.1-2008, write). */
struct line {
	char text[PIPE_BUF];
	size_t size;
};

static const char cut_mark[] = "...";

/* Appends the `n` bytes if they fit in front of the cut mark and the newline.
 * Otherwise it appends nothing and returns false. */
static bool line_add(struct line *l, const char *s, size_t n)
{
	if (n > sizeof(l->text) - sizeof(cut_mark) - l->size)
		return false;
	memcpy(l->text + l->size, s, n);
	l->size += n;
	return true;
}

static void line_add_escaped(struct line *l, const char *text)
{
	char escaped[4 * 4 + 1];
	size_t n, i;

	for (; *text; text += n) {
		const char *shown = text;
		size_t length;

		if (px_is_control(text, &n)) {
			for (i = 0; i < n; i++)
				snprintf(escaped + 4 * i, 5, "\\x%02x",
					 (unsigned char)text[i]);
			shown = escaped;
		}
		length = shown == escaped ? 4 * n : n;
		if (!line_add(l, shown, length)) {
			memcpy(l->text + l->size, cut_mark,
			       sizeof(cut_mark) - 1);
			l->size += sizeof(cut_mark) - 1;
			return;
		}
	}
}

static void emit(enum px_log_level level, const char *text)
{
	struct line l = {.size = 0};
	const char *name = levels[level].name;

	if (config.sink == PX_LOG_STDERR)
		line_add(&l, "pycfs: ", 7);
	line_add(&l, name, strlen(name));
	line_add(&l, ": ", 2);
	line_add_escaped(&l, text);
	if (config.sink == PX_LOG_SYSLOG) {
		syslog(levels[level].priority, "%.*s", (int)l.size, l.text);
		return;
	}
	l.text[l.size++] = '\n';
	/* There is nowhere to report a failure of this write. */
	(void)px_write_full(STDERR_FILENO, l.text, l.size);
}

void px_log_init(enum px_log_sink sink, enum px_log_level level)
{
	if (sink == PX_LOG_SYSLOG)
		openlog("pycfs", LOG_PID, LOG_DAEMON);
	config.sink = sink;
	config.level = level;
}

void px_vlog(enum px_log_level level, const char *fmt, va_list args)
{
	int saved = errno;
	char text[PIPE_BUF];

	if (level > config.level)
		return;
	/* 64 bytes of the line are reserved for the prefix. */
	px_vshorten(text, sizeof(text) - 64, fmt, args);
	emit(level, text);
	errno = saved;
}

void px_log(enum px_log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	px_vlog(level, fmt, args);
	va_end(args);
}

int px_log_errno(int err, const char *fmt, ...)
{
	char text[PIPE_BUF / 2];
	va_list args;
	int saved = errno;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	px_log(PX_LOG_ERROR, "%s: %s", text, strerror(-err));
	errno = saved;
	return err;
}
