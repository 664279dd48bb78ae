/* SPDX-License-Identifier: MIT */
#include "stripper.h"

#include "opt_table.h"

#include "pycfs/python.h"

int px_stripper_find(struct px_opt *o, struct px_why *why)
{
	PX_AUTOFREE char *compiler = NULL;
	int r;

	if (!(o->verb & (PX_VERBS_VIEW | PX_VERB_VERIFY)))
		return 0;
	if (o->stripper || (!o->strip && !px_rules_strip_any(o->rules)))
		return 0;
	r = px_python_compiler(&compiler, why);
	return r < 0 ? r
		     : px_strip_new(
			       &(struct px_strip_options){
				       .tool = o->strip_tool,
				       .compiler = compiler,
			       },
			       &o->stripper, why);
}
