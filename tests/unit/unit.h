/* SPDX-License-Identifier: MIT */
#ifndef PX_UNIT_H
#define PX_UNIT_H
/* Every unit test includes this: cmocka, and the headers that must come before
 * it. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#endif
