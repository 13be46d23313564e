/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lab files: whatever text a user's file holds, it becomes a lab whose parts the switch and the supervisor
 * accept, or a sentence with a place.
 */
#include <errno.h>

#include "control/rpc/methods.h"
#include "tests/fuzz/input.h"
#include "vm-launcher/lab.h"

/* Each call is one that the switch's own check lets pass. */
static void network_check(const struct lab *lab)
{
	json_t *step;
	size_t i;

	json_array_foreach (lab->network, i, step) {
		const char *name = json_string_value(json_object_get(step, "method"));
		const struct method *m =
			name && !strcmp(name, "bridge.add") ? &m_bridge_add : &m_port_add;
		struct err err = ERR_NONE;

		FUZZ_CHECK(name && !strcmp(name, m->rpc), "%s", name ? name : "no method");
		FUZZ_CHECK(method_check(m, json_object_get(step, "params"), &err) == 0, "%s",
			   err.text);
	}
}

/* Each VM is what its supervisor reads again. */
static void vms_check(const struct lab *lab)
{
	for (unsigned i = 0; i < lab->n_vms; i++) {
		json_t *doc = vm_spec_to_json(&lab->vms[i]), *again;
		struct err err = ERR_NONE;
		struct vm_spec spec;

		FUZZ_CHECK(vm_spec_from_json(&spec, doc, &err) == 0, "%s", err.text);
		again = vm_spec_to_json(&spec);
		FUZZ_CHECK(json_equal(doc, again), "%s", spec.name);
		json_decref(doc);
		json_decref(again);
	}
}

static void lab_check(struct lab *lab)
{
	json_t *doc = lab_document(lab, "/tmp/lab.yaml");
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	struct err err = ERR_NONE;
	json_t *again;
	int rc;

	FUZZ_CHECK(text, "its document cannot be written");
	again = json_loads(text, 0, NULL);
	FUZZ_CHECK(json_equal(doc, again), "%s", text);
	free(text);
	json_decref(again);
	json_decref(doc);
	network_check(lab);
	vms_check(lab);
	rc = lab_paths_from(lab, "/srv/labs/course/lab.yaml", &err);
	FUZZ_CHECK(rc == 0 || rc == -ENAMETOOLONG, "%s", err.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_NONE;
	struct yaml_doc *doc;
	struct lab lab;

	if (yaml_load((const char *)data, size, "lab.yaml", &doc, &err) < 0) {
		FUZZ_CHECK(!strncmp(err.text, "lab.yaml:", 9), "%s", err.text);
		return 0;
	}
	if (lab_read(doc, &lab, &err) == 0) {
		lab_check(&lab);
		lab_free(&lab);
	} else {
		FUZZ_CHECK(!strncmp(err.text, "lab.yaml:", 9), "%s", err.text);
	}
	yaml_doc_free(doc);
	return 0;
}
