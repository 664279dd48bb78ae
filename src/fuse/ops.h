/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_OPS_H
#define PX_FUSE_OPS_H

#include "mount.h"

/* Which function answers which request. */
extern const struct fuse_lowlevel_ops px_fuse_ops;

#endif
