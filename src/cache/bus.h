/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_BUS_H
#define PX_CACHE_BUS_H
/*
 * SIGBUS: what happens if a page of LMDB's map cannot be read, because somebody
 * cut the file short or its disk fails. The signal's handler replaces the page
 * by one of zeros. LMDB takes such a page for damage, as it belongs to no tree
 * (mdb.c 0.9.24, mdb_page_search_root), and so do we, as its digest is wrong;
 * and with damage the cache knows how to deal.
 *
 * Threads: any. The handler is the process's, installed once and left there.
 */

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

/* Lets the handler care for this environment's map from now on. Returns a slot
 * for the functions below, or -1: not possible, and then they do nothing. */
int px_bus_watch(MDB_env *env);

/* Ends that. To be called before the map is unmapped. */
void px_bus_unwatch(int slot);

/* Where the file has what lies at `p`, in bytes; -1: that is not in the map.
 * The map must stay where it is meanwhile. */
int64_t px_bus_offset(int slot, const void *p);

/* Takes the map's pages out of this process's page tables, with each page the
 * kernel's readahead around it. Each comes back when it is looked at. The map
 * must stay where it is meanwhile. */
void px_bus_drop_pages(int slot);

/* Whether any page had to be replaced since px_bus_watch. */
bool px_bus_hit(int slot);

#endif
