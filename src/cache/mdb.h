/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_MDB_H
#define PX_CACHE_MDB_H
/*
 * What every file that calls LMDB needs: its return codes as -errno, and bytes
 * as its keys and values.
 */

#include "pycfs/util.h"

#include <lmdb.h>

/* -errno for a return code of LMDB, which is one of its own (negative), an
 * errno (positive), or 0. */
int px_lmdb_err(int rc);

static inline MDB_val px_val(const void *data, size_t n)
{
	MDB_val v;

	v.mv_size = n;
	/* LMDB writes through no pointer it is given as a key or value. */
	memcpy(&v.mv_data, &data, sizeof(data));
	return v;
}

/* For PX_AUTO: closes a cursor at the end of the scope. */
static inline void px_cursor_closep(MDB_cursor **cursor)
{
	if (*cursor)
		mdb_cursor_close(*cursor);
}

#endif
