/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/guards.h"

#include <errno.h>
#include <string.h>

#include "control/rpc/suggest.h"
#include "switch/switch.h"

const char *const guard_names[GUARDS_N] = {"mac", "ip", "arp", "dhcp", "ra"};

static int guard_word(const char *word, size_t n, uint8_t *checks, struct err *err)
{
	const char *near;
	char text[24] = "";

	for (unsigned i = 0; i < GUARDS_N; i++)
		if (strlen(guard_names[i]) == n && !memcmp(guard_names[i], word, n)) {
			*checks |= (uint8_t)(1u << i);
			return 0;
		}
	memcpy(text, word, n < sizeof(text) ? n : sizeof(text) - 1);
	err_set(err, -EINVAL, "guard \"%s\" is none of mac, ip, arp, dhcp, ra and off", text);
	near = suggest_word(text, guard_names, GUARDS_N);
	if (near)
		err_hint(err, "did you mean \"%s\"?", near);
	return -EINVAL;
}

int guards_from_text(const char *text, uint8_t *checks, struct err *err)
{
	*checks = 0;
	if (!strcmp(text, "off"))
		return 0;
	for (;;) {
		size_t n = strcspn(text, ",");
		int rc = guard_word(text, n, checks, err);

		if (rc < 0 || !text[n])
			return rc;
		text += n + 1;
	}
}

bool guards_need_addresses(uint8_t checks)
{
	return checks & (GUARD_IP | GUARD_ARP);
}
