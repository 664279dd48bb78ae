/* SPDX-License-Identifier: MIT */
#ifndef PX_TEXT_H
#define PX_TEXT_H
/*
 * Text that comes from elsewhere: UTF-8, characters that a terminal must not
 * be sent, and sizes as people write them.
 *
 * Threads: any. Nothing here blocks.
 */

#include "pycfs/util.h"

/* Bytes of the UTF-8 sequence that `text` begins with, 1 to 4 (RFC 3629: no
 * surrogates, nothing overlong); 0: it is none. */
size_t px_utf8_sequence(const char *text);

/* The code point of such a sequence of `n` bytes. */
uint32_t px_utf8_code(const char *text, size_t n);

/* Whether the character that `text` begins with (not its end) must not be shown
 * as it is: a control (C0, DEL, C1), which terminals obey; a mark that turns
 * the direction of what is around it, or ends a line; or no UTF-8 at all, which
 * a terminal may take for a control of its own character set. *ret_n: its
 * bytes. */
bool px_is_control(const char *text, size_t *ret_n);

/* `text` with a question mark for each such character; the caller's. NULL:
 * ENOMEM. */
char *px_clean(const char *text);

/* Parses a decimal count with an optional K, M, G or T suffix (powers of
 * 1024) into bytes. -EINVAL if malformed, -ERANGE if too large. */
int px_parse_size(const char *text, uint64_t *ret_bytes);

#endif
