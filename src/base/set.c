/* SPDX-License-Identifier: MIT */
#include "pycfs/set.h"

#define FIRST_CAPACITY 64

static int grow(struct px_set *s)
{
	struct px_set bigger = {.capacity = s->capacity ? s->capacity * 2
							: FIRST_CAPACITY};
	size_t i;

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < s->capacity; i++)
		if (s->slots[i])
			px_set_add(&bigger, s->slots[i]);
	free(s->slots);
	*s = bigger;
	return 0;
}

bool px_set_add(struct px_set *s, uint64_t hash)
{
	size_t i;

	hash |= hash == 0; /* 0 marks a free slot, so store 1 instead */
	if (s->n * 2 >= s->capacity && grow(s) < 0)
		return false;
	for (i = hash & (s->capacity - 1); s->slots[i];
	     i = (i + 1) & (s->capacity - 1))
		if (s->slots[i] == hash)
			return true;
	s->slots[i] = hash;
	s->n++;
	return false;
}

bool px_set_has(const struct px_set *s, uint64_t hash)
{
	size_t i;

	hash |= hash == 0;
	if (s->capacity == 0)
		return false;
	for (i = hash & (s->capacity - 1); s->slots[i];
	     i = (i + 1) & (s->capacity - 1))
		if (s->slots[i] == hash)
			return true;
	return false;
}

void px_set_fini(struct px_set *s)
{
	free(s->slots);
	*s = (struct px_set){0};
}
