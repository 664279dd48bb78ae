/* SPDX-License-Identifier: MIT */
#ifndef PX_JSON_H
#define PX_JSON_H
/*
 * Text in JSON that pycfs writes.
 *
 * Threads: any, each with its own stream.
 */

#include "pycfs/text.h"

#include <stdio.h>

/* Prints a JSON string (RFC 8259, section 7). Controls (px_is_control) are
 * escaped; bytes that are no UTF-8 are written as U+DC80 and on, as Python's
 * surrogateescape has them; so is a <, for JSON may stand in HTML. */
void px_json_string(FILE *to, const char *s);

#endif
