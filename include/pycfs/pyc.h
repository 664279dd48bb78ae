/* SPDX-License-Identifier: MIT */
#ifndef PX_PYC_H
#define PX_PYC_H
/*
 * The header of a .pyc: the 16 bytes in front of its code object (PEP 552;
 * written by CPython's Lib/importlib/_bootstrap_external.py, _code_to_*_pyc,
 * 3.8-3.13):
 *
 *   pyc    ::= magic flags field marshal-data
 *   magic  ::= le32, of the Python version; its end is "\r\n"
 *   flags  ::= le32: 0 timestamp, 1 unchecked hash, 3 checked hash
 *   field  ::= le32 mtime, le32 source size      when flags = 0
 *            | 8 bytes of siphash of the source  otherwise
 *
 * Python itself writes and reads this header. pycfs only copies it when it
 * rewrites the code object that follows.
 */

#define PX_PYC_HEADER_SIZE 16

/* How Python is to tell whether a .pyc belongs to its source. The values are
 * those of `flags`. */
enum px_pyc_mode {
	PX_PYC_TIMESTAMP = 0,
	PX_PYC_UNCHECKED_HASH = 1,
	PX_PYC_CHECKED_HASH = 3,
};

#endif
