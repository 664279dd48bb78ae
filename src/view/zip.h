/* SPDX-License-Identifier: MIT */
#ifndef PX_VIEW_ZIP_H
#define PX_VIEW_ZIP_H
/*
 * The names in a zip, of whatever origin: nothing in it is trusted or unpacked.
 */

#include "pycfs/util.h"

/* Returns how many names in the zip that is open as `fd` and has `size` bytes
 * end in ".py", or 0 if it is no zip. A directory of more than 16 MiB is read
 * no further. Blocks for reading. */
size_t px_zip_sources(int fd, uint64_t size);

#endif
