/* SPDX-License-Identifier: BSD-3-Clause */
/* What a supervisor says of its VM, with a guest that lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "vm-launcher/vm.h"

/* Of the connection to the switch: there is none here. */
const char *switch_link_state(const struct switch_link *l)
{
	return "connected";
}

void switch_link_report(struct switch_link *l, json_t *report)
{
	json_decref(report);
}

static void status_of(struct vm *vm, const char *reason)
{
	json_t *status;

	vm_reason_set(vm, "the guest's addresses could not be set: %s", reason);
	status = vm_status(vm);
	assert_string_equal(json_string_value(json_object_get(status, "state")), "running");
	assert_string_equal(json_string_value(json_object_get(status, "reason")), vm->reason);
	assert_int_equal(json_integer_value(json_object_get(status, "pid")), 7);
	assert_true(json_is_boolean(json_object_get(status, "ready")));
	assert_true(json_is_true(json_object_get(json_array_get(json_object_get(status, "nics"), 0),
						 "carrier")));
	json_decref(status);
}

static void status_is_whole_whatever_its_reason_quotes(void **state)
{
	struct vm vm = {.state = VM_RUNNING, .qemu_pid = 7};
	char reason[600] = "";
	json_t *status;

	vm_spec_init(&vm.spec, "l/h1");
	vm.spec.n_nics = 1;
	vm_spec_number(&vm.spec);
	for (size_t len = 0; len < 500; len = strlen(reason)) {
		status_of(&vm, reason);
		snprintf(reason + len, sizeof(reason) - len, "%s", len % 3 ? "\xc3\xa9" : "x");
	}
	status_of(&vm, "half a letter: \xc3");
	status_of(&vm, "\x1b[31mred");
	assert_null(strchr(vm.reason, 0x1b));
	/* And where somebody forgets to clean it. */
	snprintf(vm.reason, sizeof(vm.reason), "\xc3");
	status = vm_status(&vm);
	assert_string_equal(json_string_value(json_object_get(status, "state")), "running");
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_whole_whatever_its_reason_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
