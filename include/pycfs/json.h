/* SPDX-License-Identifier: MIT */
#ifndef PX_JSON_H
#define PX_JSON_H
/*
 * Strings in the JSON that pycfs writes.
 *
 * Threads: any, as long as each writes to a stream of its own.
 */

#include "pycfs/text.h"

#include <stdio.h>

/*
 * Writes `s` to the stream `to` as a JSON string, with its quotes (RFC 8259,
 * section 7). Control characters (px_is_control) are escaped, and so is "<",
 * because the JSON may be put into an HTML page. A byte 0xNN that is not part
 * of valid UTF-8 is written as the lone surrogate U+DCNN, as Python's error
 * handler "surrogateescape" decodes it. Errors are left in the stream, for
 * ferror(3).
 */
void px_json_string(FILE *to, const char *s);

#endif
