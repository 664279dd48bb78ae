/* SPDX-License-Identifier: MIT */
#include "others.h"

int64_t px_report_spool(const struct px_report_options *o,
			const struct px_blob *b)
{
	int64_t at;

	if (o->spool < 0)
		return -1;
	at = atomic_fetch_add(o->spool_end, (int64_t)b->size);
	return pwrite(o->spool, b->data, b->size, at) == (ssize_t)b->size ? at
									  : -1;
}

int px_report_unspool(const struct px_report_options *o, int64_t at, uint64_t n,
		      struct px_buf *ret)
{
	int r = at < 0 ? -ENOENT : px_buf_reserve(ret, (size_t)n);

	if (r < 0)
		return r;
	if (px_pread_full(o->spool, ret->data + ret->size, (size_t)n, at) !=
	    (ssize_t)n)
		return -ENOENT;
	ret->size += (size_t)n;
	return 0;
}
