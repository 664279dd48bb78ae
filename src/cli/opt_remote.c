/* SPDX-License-Identifier: MIT */
/*
 * The options of a remote store. Keys are read while the command line is
 * parsed, so that a wrong one ends pycfs before anything is mounted.
 */
#include "opt_value.h"

#include "pycfs/remote.h"

#include <fcntl.h>

/* Bytes of a file of public keys. */
#define KEYS_MAX (1u << 20)

int px_opt_remote(struct px_opt *o, const char *v)
{
	const int r = px_remote_check_url(v, &o->bad);

	if (r == 0)
		o->remote = v;
	return r < 0 ? -EINVAL : 0;
}

static int add_key(struct px_opt *o, const struct px_signer *key)
{
	struct px_signer *trust =
		realloc(o->trust, (o->n_trust + 1) * sizeof(*trust));

	if (!trust)
		return -ENOMEM;
	o->trust = trust;
	trust[o->n_trust++] = *key;
	return 0;
}

/* Keys with blanks, commas or ends of lines between them; a line that begins
 * with # is a comment. */
static int add_keys(struct px_opt *o, const char *text, size_t n)
{
	static const char between[] = " \t\r\n,";
	struct px_signer key;
	size_t i = 0, from;
	int r = 0;

	while (i < n && r == 0) {
		if (memchr(between, text[i], sizeof(between) - 1)) {
			i++;
			continue;
		}
		from = i;
		if (text[i] == '#') {
			while (i < n && text[i] != '\n')
				i++;
			continue;
		}
		while (i < n && !memchr(between, text[i], sizeof(between) - 1))
			i++;
		r = px_signer_parse(text + from, i - from, &key, &o->bad);
		if (r == 0)
			r = add_key(o, &key);
	}
	return r;
}

int px_opt_remote_trust(struct px_opt *o, const char *v)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = KEYS_MAX};
	PX_AUTOCLOSE int fd = -1;
	int r;

	if (*v != '@')
		return add_keys(o, v, strlen(v));
	fd = open(v + 1, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : px_slurp(fd, &text);
	if (r < 0 && r != -ENOMEM) {
		px_because(&o->bad, r, "bad file of keys %s: %s", v + 1,
			   strerror(-r));
		return -EINVAL;
	}
	return r < 0 ? r : add_keys(o, (const char *)text.data, text.size);
}

int px_opt_remote_sign(struct px_opt *o, const char *v)
{
	if (!o->secret)
		o->secret = calloc(1, sizeof(*o->secret));
	if (!o->secret)
		return -ENOMEM;
	return px_secret_read(v, o->secret, &o->bad) < 0 ? -EINVAL : 0;
}

int px_opt_check_remote(struct px_opt *o, struct px_why *why)
{
	if (o->secret && !o->remote)
		return px_because(why, -EINVAL,
				  "--remote-sign needs the store: --remote "
				  "URL");
	if (o->secret && o->cache_from)
		return px_because(why, -EINVAL,
				  "--remote-sign signs nothing that another "
				  "cache had: leave out --cache-from and "
				  "PYCFS_CACHE_FROM");
	if (o->remote && !o->secret && o->n_trust == 0)
		return px_because(why, -EINVAL,
				  "%s needs to know whose modules to take: "
				  "--remote-trust NAME:KEY, as pycfs cache "
				  "keygen prints it",
				  strstr(o->environment, "PYCFS_REMOTE")
					  ? "PYCFS_REMOTE"
					  : "--remote");
	/* Whoever signs trusts its own key. */
	return o->secret && add_key(o, &o->secret->signer) < 0 ? -ENOMEM : 0;
}
