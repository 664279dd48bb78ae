/* SPDX-License-Identifier: MIT */
#ifndef PX_PYC_H
#define PX_PYC_H
/*
 * The 16 bytes in front of a .pyc's code object (PEP 552; written by CPython's
 * Lib/importlib/_bootstrap_external.py, _code_to_*_pyc, 3.8-3.13):
 *
 *   pyc    ::= magic flags field marshal-data
 *   magic  ::= le32, of the Python version; ends in "\r\n"
 *   flags  ::= le32: 0 timestamp, 1 unchecked hash, 3 checked hash
 *   field  ::= le32 mtime, le32 source size      when flags = 0
 *            | 8 bytes of siphash of the source  otherwise
 *
 * Bytes in, bytes out: no disk, no Python.
 */

#include "pycfs/util.h"

#define PX_PYC_HEADER_SIZE 16

enum px_pyc_mode {
	PX_PYC_TIMESTAMP = 0,
	PX_PYC_UNCHECKED_HASH = 1,
	PX_PYC_CHECKED_HASH = 3,
};

struct px_pyc_header {
	uint32_t magic;
	enum px_pyc_mode mode;
	uint32_t mtime;	      /* seconds, low 32 bits; timestamp mode */
	uint32_t source_size; /* bytes, low 32 bits; timestamp mode */
	uint8_t source_hash[8];
};

void px_pyc_encode(const struct px_pyc_header *h,
		   uint8_t ret[PX_PYC_HEADER_SIZE]);

/* Returns 0, or -EBADMSG: shorter than a header, a magic that does not end in
 * "\r\n", or flags that no Python 3.7-3.13 writes. */
int px_pyc_decode(const uint8_t *data, size_t n, struct px_pyc_header *ret);

#endif
