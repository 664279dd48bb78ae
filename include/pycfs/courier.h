/* SPDX-License-Identifier: MIT */
#ifndef PX_COURIER_H
#define PX_COURIER_H
/*
 * What is said between pycfs and `pycfs-remote`, the program that speaks HTTP
 * for it. That program uses libcurl and the credentials of the store, and has
 * no key that signs; pycfs itself uses neither.
 *
 * It gets PX_COURIER_SLOTS sockets, from descriptor PX_COURIER_FD on. On each
 * goes one request at a time, and its answer:
 *
 *   request ::= le32 kind, le32 size of the URL, le32 size of the body, URL,
 *               body; with PX_COURIER_S3 in its kind the URL has the region and
 *               a blank before it, and the request is signed for S3
 *   answer  ::= le32 errno (0: done), le32 size of the body, body
 *
 * The body of an answer is the object, or a sentence that says what is wrong.
 */

#define PX_COURIER_FD	    3
#define PX_COURIER_SLOTS    16
#define PX_COURIER_REQUEST  12
#define PX_COURIER_ANSWER   8
#define PX_COURIER_URL_MAX  4096
#define PX_COURIER_BODY_MAX (80u << 20)
#define PX_COURIER_GET	    1
#define PX_COURIER_PUT	    2
#define PX_COURIER_S3	    0x100

#endif
