/* SPDX-License-Identifier: MIT */
#include "said.h"

#include "pycfs/digest.h"
#include "pycfs/set.h"

struct px_said {
	pthread_mutex_t lock;
	struct px_set said; /* under lock */
};

int px_said_new(struct px_said **ret)
{
	struct px_said *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void px_said_free(struct px_said *s)
{
	if (!s)
		return;
	px_set_fini(&s->said);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

bool px_said_first_time(struct px_said *s, const char *path, uint64_t what)
{
	bool again;

	pthread_mutex_lock(&s->lock);
	again = px_set_add(&s->said, px_hash64(what, path, strlen(path)));
	pthread_mutex_unlock(&s->lock);
	return !again;
}
