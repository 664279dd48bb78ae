/* SPDX-License-Identifier: MIT */
#ifndef PX_COMPILER_TOOL_H
#define PX_COMPILER_TOOL_H
/*
 * Runs a program that makes one file of another, both of which are open: it may
 * read what programs need to run, but can write to nothing but its open
 * descriptors, start no other program of its own, and reach no network. Its
 * time, its memory and what it writes are bounded.
 */

/* Becomes argv[0], an absolute path; `argv` ends with NULL. Returns the exit
 * status only if that is not possible; stderr says why. */
int px_tool_become(char **argv);

#endif
