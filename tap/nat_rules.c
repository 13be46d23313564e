/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/nat_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <nftables/libnftables.h>

#include "base/log.h"
#include "tap/host_note.h"

#define NOTE "table "

static const char ruleset[] =
	"table ip %1$s\n"
	"delete table ip %1$s\n"
	"table ip %1$s {\n"
	"	chain postrouting {\n"
	"		type nat hook postrouting priority srcnat; policy accept;\n"
	"		ip saddr %3$s ip daddr != %3$s oifname != \"%2$s\" masquerade\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority filter - 5; policy accept;\n"
	"		iifname \"%2$s\" ip saddr != %3$s drop\n"
	"		iifname \"%2$s\" accept\n"
	"		oifname \"%2$s\" ct state established,related accept\n"
	"		oifname \"%2$s\" drop\n"
	"	}\n"
	"%4$s"
	"}\n";
/* An empty chain: kernels before 5.10 have no comments of tables. */
static const char was_off_chain[] = "	chain forwarding_was_off {\n	}\n";

static int run(const char *commands, struct err *err)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int rc = 0;

	if (!nft)
		return err_set(err, -ENOMEM, "nftables does not start");
	nft_ctx_buffer_error(nft);
	nft_ctx_buffer_output(nft);
	if (nft_run_cmd_from_buffer(nft, commands) != 0) {
		const char *text = nft_ctx_get_error_buffer(nft);

		rc = err_set(err, -EIO, "nftables refuses: %.*s",
			     text ? (int)strcspn(text, "\n") : 0, text ? text : "");
		err_hint(err, "it needs CAP_NET_ADMIN and a kernel with nf_tables and nft_masq");
	}
	nft_ctx_free(nft);
	return rc;
}

static const char *note_of(char out[HOST_NOTE_MAX], const char *table)
{
	snprintf(out, HOST_NOTE_MAX, NOTE "%.40s", table);
	return out;
}

int nat_rules_set(const char *table, const char *ifname, const char *network, bool was_off, struct err *err)
{
	char commands[sizeof(ruleset) + 512], note[HOST_NOTE_MAX];
	int n = snprintf(commands, sizeof(commands), ruleset, table, ifname, network, was_off ? was_off_chain : ""),
	    noted, rc;

	if (n < 0 || (size_t)n >= sizeof(commands))
		return err_set(err, -E2BIG, "the rules of table \"%s\" are too long", table);
	noted = host_note_add(note_of(note, table), err);
	if (noted < 0)
		return noted;
	rc = run(commands, err);
	if (rc < 0 && !noted)
		host_note_del(note);
	return rc;
}

void nat_rules_clear(const char *table)
{
	struct err err = ERR_NONE;
	char commands[160], note[HOST_NOTE_MAX];

	/* Added first: that it has gone already is no failure. */
	snprintf(commands, sizeof(commands), "add table ip %s\ndelete table ip %s\n", table, table);
	if (run(commands, &err) < 0)
		LOG_WARN("switch: table \"%s\" was not deleted: %s", table, err.text);
	else
		host_note_del(note_of(note, table));
}

char *nat_rules_text(const char *table)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	char command[96], *text = NULL;

	if (!nft)
		return NULL;
	nft_ctx_buffer_error(nft);
	nft_ctx_buffer_output(nft);
	snprintf(command, sizeof(command), "list table ip %s", table);
	if (nft_run_cmd_from_buffer(nft, command) == 0)
		text = strdup(nft_ctx_get_output_buffer(nft));
	nft_ctx_free(nft);
	return text;
}

bool nat_rules_whole(const char *table, const char *was)
{
	char *text = nat_rules_text(table), *copy = strdup(was), *line, *save;
	const char *at = text;

	for (line = at && copy ? strtok_r(copy, "\n", &save) : NULL; line && at;
	     line = strtok_r(NULL, "\n", &save)) {
		at = strstr(at, line);
		at = at ? at + strlen(line) : NULL;
	}
	free(text);
	free(copy);
	return at != NULL;
}

static void end_left(const char *note)
{
	const char *table = note + strlen(NOTE);

	if (strncmp(note, NOTE "lanyard-", strlen(NOTE "lanyard-")) || strchr(table, ' '))
		return;
	LOG_INFO("switch: deleting nftables table \"%s\", left by a switch that ended before", table);
	nat_rules_clear(table);
}

void nat_rules_end_left(void)
{
	host_note_each_left(end_left);
}

static bool chain_drops(const json_t *chain)
{
	const char *hook = json_string_value(json_object_get(chain, "hook"));
	const char *policy = json_string_value(json_object_get(chain, "policy"));

	return hook && policy && !strcmp(hook, "forward") && !strcmp(policy, "drop");
}

/* All that the kernel has, as nft prints them; NULL where it does not. */
static json_t *chains(void)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	json_t *all = NULL;

	if (!nft)
		return NULL;
	nft_ctx_buffer_error(nft);
	nft_ctx_buffer_output(nft);
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON);
	if (nft_run_cmd_from_buffer(nft, "list chains") == 0)
		all = json_loads(nft_ctx_get_output_buffer(nft), 0, NULL);
	nft_ctx_free(nft);
	return all;
}

static bool says_was_off(const json_t *chain)
{
	const char *table = json_string_value(json_object_get(chain, "table"));
	const char *name = json_string_value(json_object_get(chain, "name"));

	return table && name && !strncmp(table, "lanyard-", strlen("lanyard-")) && !strcmp(name, "forwarding_was_off");
}

bool nat_rules_need_forwarding(void)
{
	json_t *all = chains(), *item;
	bool found = false;
	size_t i;

	json_array_foreach (json_object_get(all, "nftables"), i, item)
		found = found || says_was_off(json_object_get(item, "chain"));
	json_decref(all);
	return found;
}

bool nat_rules_blocked(char *chain, size_t size)
{
	json_t *all = chains(), *item;
	bool found = false;
	size_t i;

	chain[0] = '\0';
	json_array_foreach (json_object_get(all, "nftables"), i, item) {
		const json_t *c = json_object_get(item, "chain");

		if (!c || !chain_drops(c))
			continue;
		snprintf(chain, size, "%s %s %s", json_string_value(json_object_get(c, "family")),
			 json_string_value(json_object_get(c, "table")),
			 json_string_value(json_object_get(c, "name")));
		found = true;
	}
	json_decref(all);
	return found;
}
