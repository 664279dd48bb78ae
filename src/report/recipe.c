/* SPDX-License-Identifier: MIT */
/*
 * What the layer is compared with that others make by hand: compileall -o 2 -b,
 * and then every .py deleted. Its modules are those of the layer but for the
 * ones that rules or options compile at another level, or whose source they
 * keep; these are compiled once more. What is not of Python is the same.
 */
#include "others.h"

#include "pycfs/pool.h"

#define LEVEL 2

static struct px_report_way way(const struct px_report_options *o)
{
	return (struct px_report_way){
		.name = "recipe",
		.format = 1,
		.pool = o->recipe,
		.level = LEVEL,
	};
}

bool px_report_is_as_recipe(const struct px_report_options *o,
			    const struct px_report_file *f, const char *source)
{
	return f->kind == PX_KIND_MODULE &&
	       px_report_level(o, f, source) == LEVEL;
}

int px_report_recipe(const struct px_report_options *o, const char *path,
		     const struct px_buf *source,
		     const uint8_t digest[PX_DIGEST_SIZE],
		     struct px_report_file *f)
{
	const struct px_report_way w = way(o);

	if (!px_report_is_as_recipe(o, f, path))
		return px_report_compile(o, &w, path, source, digest,
					 &f->recipe);
	f->recipe.bytes = f->bytes;
	return 0;
}

int px_report_recipe_bytes(const struct px_report_options *o,
			   const struct px_report_file *f,
			   const struct px_buf *source, struct px_buf *ret)
{
	const struct px_report_way w = way(o);

	return px_report_compiled_bytes(o, &w, f->source, source, &f->recipe,
					ret);
}
