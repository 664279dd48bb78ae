/* SPDX-License-Identifier: MIT */
#ifndef PX_UNIT_H
#define PX_UNIT_H
/* What every unit test includes: cmocka and what it wants before it. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#endif
