/* SPDX-License-Identifier: MIT */
#include "part.h"

#include "reply.h"

void px_part_free(struct px_part *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		px_module_id_fini(&c->m[i].id);
	free(c);
}

void px_part_store(const struct px_content_options *o, const struct px_keys *k,
		   const struct px_part *c, struct px_blob *const *blobs,
		   const struct px_signer *by)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct px_part_module *m = &c->m[i];
		struct px_cache_entry entry;
		bool has_index;

		if (!blobs[i] || m->has)
			continue;
		entry = px_reply_entry(blobs[i], c->keys[i], true);
		has_index = !px_keys_need_name(k, blobs[i]) &&
			    !px_tree_young(&m->st.fp, m->read_at_ns);
		px_cache_put(o->cache, c->keys[i], blobs[i],
			     px_keys_signed_profile(k, m->level, by->name),
			     has_index ? m->id.index : NULL,
			     has_index ? &entry : NULL);
	}
}

/* The module's blob, which the caller owns; or NULL in *ret if it is one of
 * those that are not shared. -ENOENT: it is not compiled. */
static int find_blob(const struct px_content_options *o,
		     const struct px_keys *k, const struct px_part_module *m,
		     const uint8_t key[PX_DIGEST_SIZE], struct px_blob **ret)
{
	uint8_t named[PX_DIGEST_SIZE];
	struct px_blob *b = NULL;
	int r = px_cache_get(o->cache, key, &b);

	if (r < 0 && px_module_id_named(k, &m->id, key, named))
		r = px_cache_get(o->cache, named, &b);
	if (r < 0)
		return -ENOENT;
	if (b->kind != PX_BLOB_CODE && b->kind != PX_BLOB_REJECTED)
		r = -ENOENT;
	else if (!px_keys_need_name(k, b))
		*ret = PX_STEAL(b);
	px_blob_unref(b);
	return r;
}

void px_part_push(const struct px_content_options *o, const struct px_keys *k,
		  const struct px_part *c)
{
	struct px_blob *blobs[PX_CHUNK_MODULES] = {NULL};
	int r = 0;

	for (size_t i = 0; i < c->n && r == 0; i++)
		r = find_blob(o, k, &c->m[i], c->keys[i], &blobs[i]);
	if (r == 0)
		px_remote_put(o->remote, c->keys, blobs, c->n);
	else
		px_stats_add(o->stats, PX_COUNT_remote_unpushed, 1);
	for (size_t i = 0; i < c->n; i++)
		px_blob_unref(blobs[i]);
}
