/* SPDX-License-Identifier: MIT */
/* usage: fuzz_NAME FILE-OR-DIRECTORY...   runs the target over each file */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

static unsigned n_files;

static int replay(const char *path, const struct stat *st, int type,
		  struct FTW *where PX_UNUSED)
{
	PX_AUTOCLOSE int fd = -1;
	PX_AUTOFREE uint8_t *data = NULL;
	size_t n;

	if (type == FTW_D)
		return 0;
	n = (size_t)st->st_size;
	data = malloc(n ? n : 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (type != FTW_F || !data || fd < 0 ||
	    px_read_full(fd, data, n) != (ssize_t)n) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 1;
	}
	/* Said before: it is the last word of a run that crashes. */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, n);
	n_files++;
	return 0;
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (nftw(argv[i], replay, 8, FTW_PHYS) != 0) {
			perror(argv[i]);
			return 1;
		}
	}
	if (n_files == 0) {
		fputs("nothing to replay\n", stderr);
		return 1;
	}
	printf("%u inputs\n", n_files);
	return 0;
}
