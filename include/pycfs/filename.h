/* SPDX-License-Identifier: MIT */
#ifndef PX_FILENAME_H
#define PX_FILENAME_H
/*
 * co_filename, the path that a traceback shows. In a canonical code object
 * (marshal.h) it stands once, as one marshalled str, however many functions the
 * module has, and nothing else depends on it. So it can be taken out when a
 * module is stored, and another be put in when it is served. Where it was taken
 * out, one byte is left, the mark:
 *
 *   mark ::= '/', or '/' with the bit PX_FILENAME_SHARED
 *
 * Marshal itself uses no such type. The bit is FLAG_REF, which the str has if
 * other places refer to it.
 *
 * A name is bytes of the file system, without NUL. Python decodes them as UTF-8
 * with the handler "surrogateescape", and marshal writes the outcome as UTF-8
 * with "surrogatepass": a byte that is no UTF-8 takes three bytes.
 *
 * Threads: any. No function here blocks or allocates.
 */

#include "pycfs/util.h"

#define PX_FILENAME_MARK   '/'
#define PX_FILENAME_SHARED 0x80

/* Whether the byte is a mark. */
bool px_filename_is_mark(uint8_t byte);

/* The size in bytes of the str that takes the place of a mark. */
size_t px_filename_size(const char *name);

/* Writes that str, px_filename_size(name) bytes, in place of `mark`. */
void px_filename_write(const char *name, uint8_t mark, uint8_t *ret);

#endif
