/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/method.h"

#include <errno.h>
#include <string.h>

#include "control/rpc/suggest.h"

const struct param *method_param(const struct method *m, const char *name)
{
	for (const struct param *p = m->params; p && p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

int param_unknown(const struct param *known, const char *name, struct err *err)
{
	struct suggest s = {NULL, 0};

	err_set(err, -EINVAL, "there is no parameter \"%.64s\"", name);
	for (const struct param *p = known; p && p->name; p++)
		if (!(p->flags & PARAM_JSON_ONLY))
			suggest_offer(&s, name, p->name);
	if (s.best)
		err_hint(err, "did you mean \"%s\"?", s.best);
	return -EINVAL;
}

int method_check(const struct method *m, const json_t *params, struct err *err)
{
	const char *key;
	json_t *value;

	if (params && !json_is_object(params))
		return err_set(err, -EINVAL, "params of %s must be an object", m->rpc);
	/* Reading does not change the object; jansson's iterator takes no const one. */
	json_object_foreach ((json_t *)params, key, value) {
		const struct param *p = method_param(m, key);
		int rc;

		if (!p)
			return param_unknown(m->params, key, err);
		rc = param_check(p, value, err);
		if (rc < 0) {
			err_prefix(err, "%s", p->name);
			return rc;
		}
	}
	for (const struct param *p = m->params; p && p->name; p++)
		if ((p->flags & PARAM_REQUIRED) && !json_object_get(params, p->name))
			return err_set(err, -EINVAL, "%s is missing", p->name);
	return 0;
}
