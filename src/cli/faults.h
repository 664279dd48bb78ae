/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_FAULTS_H
#define PX_CLI_FAULTS_H
/*
 * How an export tells which modules do not compile.
 *
 * Threads: the main thread.
 */

#include "pycfs/export.h"

#include <stdio.h>

/* Logs an error for each of the list `f`, which may be NULL. */
void px_faults_tell(const struct px_export_fault *f);

/* Prints a member of a JSON object, "faults", with a comma before it. Errors
 * are left in the stream. */
void px_faults_print_json(const struct px_export_fault *f, FILE *to);

#endif
