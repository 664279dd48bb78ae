/* SPDX-License-Identifier: MIT */
#ifndef PX_TEXT_H
#define PX_TEXT_H
/*
 * Text from outside of pycfs: decoding UTF-8, replacing characters that must
 * not be sent to a terminal, and parsing sizes.
 *
 * Threads: any. No function here blocks.
 */

#include "pycfs/util.h"

/* Returns the length in bytes, 1 to 4, of the UTF-8 sequence at the start of
 * `text` (RFC 3629: surrogates and overlong forms are invalid), or 0 if there
 * is no valid sequence. */
size_t px_utf8_sequence(const char *text);

/* Returns the code point of the valid sequence of `n` bytes at the start of
 * `text`. */
uint32_t px_utf8_code(const char *text, size_t n);

/* Whether the first character of `text`, which must not be "", is unsafe to
 * show: a control character (C0, DEL, C1), which terminals obey; a character
 * that changes the direction of the surrounding text or ends a line; or a byte
 * that is not valid UTF-8, which a terminal may take for a control of its own
 * character set. *ret_n is set to the length of the character in bytes, in any
 * case. */
bool px_is_control(const char *text, size_t *ret_n);

/* Returns a copy of `text` in which each unsafe character (px_is_control) is
 * replaced by a question mark. The caller frees it. NULL if out of memory. */
char *px_clean(const char *text);

/* What the word behind the number `n` ends in: "1 file", "2 files". */
#define PX_S(n) ((n) == 1 ? "" : "s")

/* Parses a decimal number with an optional suffix K, M, G or T (powers of 1024)
 * into a number of bytes. Returns 0; -EINVAL if `text` has another form;
 * -ERANGE if the result does not fit into 64 bits. */
int px_parse_size(const char *text, uint64_t *ret_bytes);

#endif
