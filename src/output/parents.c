/* SPDX-License-Identifier: MIT */
#include "parents.h"

#include "pycfs/path.h"

#include <fcntl.h>
#include <sys/stat.h>

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

void px_parents_keep(struct px_parents *p)
{
	if (p->base >= 0)
		close(p->base);
	p->base = -1;
	free(PX_STEAL(p->made));
}

void px_parents_remove(struct px_parents *p)
{
	while (p->made && *p->made &&
	       unlinkat(p->base, p->made, AT_REMOVEDIR) == 0)
		p->made[px_path_parent_length(p->made)] = '\0';
	px_parents_keep(p);
}

/* The directory `name` was made in the one that is open as `fd`. */
static int note_made(struct px_parents *p, int fd, const char *name)
{
	char *made = px_path_join(p->made ? p->made : "", name);

	if (made && !p->made)
		p->base = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (!made || p->base < 0) {
		free(made);
		unlinkat(fd, name, AT_REMOVEDIR);
		return made ? -errno : -ENOMEM;
	}
	free(p->made);
	p->made = made;
	return 0;
}

/* Makes the directory `name` in *fd, unless another process was faster, and
 * puts its descriptor into *fd. */
static int descend(struct px_parents *p, int *fd, const char *name)
{
	int below, r = 0;

	if (!px_path_is_name(name))
		return -ENOENT;
	if (mkdirat(*fd, name, 0777) == 0)
		r = note_made(p, *fd, name);
	else if (errno == EEXIST)
		/* It is another's, so all above it have to stay as well. */
		px_parents_keep(p);
	else
		r = -errno;
	if (r < 0)
		return r;
	below = openat(*fd, name, OPEN_DIR | O_NOFOLLOW);
	if (below < 0)
		return -errno;
	close(*fd);
	*fd = below;
	return 0;
}

/* Opens the last directory on the way to `path` that is there. *ret_rest is the
 * rest of the way. */
static int open_last(char *path, int *ret_fd, char **ret_rest)
{
	char *rest = path + strlen(path);
	char first;
	int fd;

	do {
		while (rest > path && rest[-1] == '/')
			rest--;
		while (rest > path && rest[-1] != '/')
			rest--;
		first = *rest;
		*rest = '\0';
		fd = open(*path ? path : ".", OPEN_DIR);
		*rest = first;
	} while (fd < 0 && errno == ENOENT && rest > path);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	*ret_rest = rest;
	return 0;
}

int px_parents_open(struct px_parents *p, const char *path, int *ret_fd)
{
	PX_AUTOFREE char *copy = strdup(path);
	PX_AUTOCLOSE int fd = open(path, OPEN_DIR);
	char *rest = NULL, *name = NULL, *state = NULL;
	int r = 0;

	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (!copy)
		return -ENOMEM;
	if (fd < 0) {
		r = open_last(copy, &fd, &rest);
		if (r == 0)
			name = strtok_r(rest, "/", &state);
		while (r == 0 && name) {
			if (strcmp(name, ".") != 0)
				r = descend(p, &fd, name);
			name = strtok_r(NULL, "/", &state);
		}
	}
	if (r == 0)
		*ret_fd = px_steal_fd(&fd);
	return r;
}
