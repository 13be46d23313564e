/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/event_kinds.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "control/rpc/suggest.h"

const char *const event_kinds[] = {
	"port.add",	 "port.del",	 "port.state",	   "port.carrier", "port.mtu",
	"bridge.add",	 "bridge.del",	 "mac.move",	   "mac.move.more", "vm.state",
	"vm.ready",	 "config.apply", "config.confirm", "config.rollback", "log.warn",
	"log.err",	 NULL,
};
#define N_KINDS (sizeof(event_kinds) / sizeof(event_kinds[0]) - 1)

static bool is_front(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; len && i < N_KINDS; i++)
		if (!strncmp(event_kinds[i], word, len) && (!event_kinds[i][len] || event_kinds[i][len] == '.'))
			return true;
	return false;
}

int event_kinds_check(const json_t *kinds, struct err *err)
{
	const json_t *one;
	size_t i;

	json_array_foreach (kinds, i, one) {
		const char *word = json_string_value(one), *near;

		if (word && is_front(word))
			continue;
		err_set(err, -EINVAL, "there are no events of kind \"%.40s\"", word ? word : "");
		near = word && *word ? suggest_word(word, event_kinds, N_KINDS) : NULL;
		if (near)
			err_hint(err, "did you mean %s?", near);
		else
			err_hint(err, "kinds begin with port, bridge, mac, vm, config or log; `lanyard events --help` has all");
		return -EINVAL;
	}
	return 0;
}
