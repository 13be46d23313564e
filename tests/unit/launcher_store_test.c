/* SPDX-License-Identifier: BSD-3-Clause */
/* What is kept of VMs: definitions that outlive the run dir, locks, and the memory to run them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/folder.h"
#include "vm-launcher/file.h"
#include "vm-launcher/host_memory.h"
#include "vm-launcher/lock_file.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_options.h"
#include "vm-launcher/vm_path.h"
#include "vm-launcher/vm_store.h"

/* A host: its state dir, and a run dir that is new after each start. */
struct host {
	char dir[64], state_dir[80], run_dir[80];
};

static unsigned n_warnings;
static char warning[400];

static void warn(const char *text)
{
	n_warnings++;
	snprintf(warning, sizeof(warning), "%s", text);
}

static int set_up(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	snprintf(h->dir, sizeof(h->dir), "/tmp/lanyard-store-XXXXXX");
	if (!mkdtemp(h->dir))
		return -1;
	snprintf(h->state_dir, sizeof(h->state_dir), "%s/state", h->dir);
	snprintf(h->run_dir, sizeof(h->run_dir), "%s/run", h->dir);
	n_warnings = 0;
	*state = h;
	return 0;
}

static int tear_down(void **state)
{
	struct host *h = *state;

	folder_remove(h->dir);
	free(h);
	return 0;
}

static void define(struct host *h, const char *name)
{
	struct vm_spec s;
	struct err err = ERR_NONE;

	vm_spec_init(&s, name);
	assert_int_equal(vm_nic_parse(&s, "sw1,access=10", "", &err), 0);
	vm_spec_number(&s);
	assert_int_equal(vm_store_save(h->state_dir, &s, &err), 0);
}

/* Names and states after a look, "a=stopped b=stopped". */
static const char *seen(struct host *h)
{
	static char text[256];
	json_t *list, *one;
	size_t i;

	vm_store_restore(h->state_dir, h->run_dir, warn);
	assert_int_equal(vm_client_list(h->run_dir, NULL, &list, NULL), 0);
	text[0] = '\0';
	json_array_foreach (list, i, one) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s=%s", len ? " " : "",
			 json_string_value(json_object_get(one, "name")),
			 json_string_value(json_object_get(one, "state")));
	}
	json_decref(list);
	return text;
}

static void definition_outlives_the_run_dir(void **state)
{
	struct host *h = *state;
	struct vm_spec s;
	struct err err = ERR_NONE;

	define(h, "b");
	define(h, "a");
	assert_string_equal(seen(h), "a=stopped b=stopped");
	folder_remove(h->run_dir);
	assert_string_equal(seen(h), "a=stopped b=stopped");
	assert_int_equal(vm_client_spec(h->run_dir, "a", &s, &err), 0);
	assert_string_equal(s.nics[0].bridge, "sw1");
	assert_int_equal(s.nics[0].access, 10);
	assert_int_equal(n_warnings, 0);
}

static void deleted_vm_stays_deleted(void **state)
{
	struct host *h = *state;
	struct err err = ERR_NONE;

	define(h, "a");
	define(h, "b");
	assert_string_equal(seen(h), "a=stopped b=stopped");
	assert_int_equal(vm_client_remove(h->run_dir, h->state_dir, "a", &err), 0);
	folder_remove(h->run_dir);
	assert_string_equal(seen(h), "b=stopped");
}

static void vm_of_a_lab_is_not_kept(void **state)
{
	struct host *h = *state;

	define(h, "lab/h1");
	assert_string_equal(seen(h), "");
}

static void damaged_definition_is_said_and_left(void **state)
{
	struct host *h = *state;
	struct err err = ERR_NONE;
	char path[128];

	define(h, "a");
	define(h, "b");
	snprintf(path, sizeof(path), "%s/vm/a.json", h->state_dir);
	assert_int_equal(file_write(path, "{}", 2, &err), 0);
	assert_string_equal(seen(h), "b=stopped");
	assert_int_equal(n_warnings, 1);
	assert_non_null(strstr(warning, "vm \"a\": its definition "));
	assert_int_equal(access(path, F_OK), 0);
}

/* A file that was renamed by hand: two VMs would have one name, MAC and disk. */
static void definition_of_another_name_is_refused(void **state)
{
	struct host *h = *state;
	char from[128], to[128];

	define(h, "a");
	snprintf(from, sizeof(from), "%s/vm/a.json", h->state_dir);
	snprintf(to, sizeof(to), "%s/vm/c.json", h->state_dir);
	assert_int_equal(rename(from, to), 0);
	assert_string_equal(seen(h), "");
	assert_non_null(strstr(warning, "vm \"c\""));
}

static void vm_that_is_being_started_is_left_alone(void **state)
{
	struct host *h = *state;
	char id[VM_ID_BYTES], path[VM_FILE_BYTES];
	int lock;

	define(h, "a");
	assert_string_equal(seen(h), "a=stopped");
	define(h, "b");
	vm_id("b", id);
	lock = lock_file_take(vm_path(path, h->run_dir, id, "lock"), 1);
	assert_true(lock >= 0);
	assert_int_equal(lock_file_take(path, 2), -EWOULDBLOCK);
	assert_string_equal(seen(h), "a=stopped");
	close(lock);
	assert_string_equal(seen(h), "a=stopped b=stopped");
}

static void more_memory_than_the_host_has_is_refused(void **state)
{
	struct host *h = *state;
	struct vm_spec s;
	struct err err = ERR_NONE;
	char path[96];
	static const char meminfo[] = "MemTotal:       24595036 kB\n"
				      "MemFree:          100000 kB\n"
				      "MemAvailable:     524288 kB\n";

	snprintf(path, sizeof(path), "%s/meminfo", h->dir);
	assert_int_equal(file_write(path, meminfo, sizeof(meminfo) - 1, &err), 0);
	vm_spec_init(&s, "a");
	assert_int_equal(host_memory_check(path, &s, &err), 0);
	s.memory_bytes += 1 << 20;
	assert_int_equal(host_memory_check(path, &s, &err), -ENOMEM);
	assert_string_equal(
		err.text,
		"vm \"a\": 513M of memory are more than the 512M that this host has left");
	assert_int_equal(host_memory_check("/nonexistent", &s, &err), 0);
}

/* A lab that failed before its first VM is taken down like any other. */
static void vm_that_never_was_can_be_removed_from_a_fresh_host(void **state)
{
	struct host *h = *state;
	struct err err = ERR_NONE;

	assert_int_equal(vm_client_remove(h->run_dir, h->state_dir, "l/h1", &err), 0);
	assert_int_equal(vm_client_remove(h->run_dir, h->state_dir, "h1", &err), 0);
	assert_int_equal(access(h->run_dir, F_OK), -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(definition_outlives_the_run_dir),
		T(deleted_vm_stays_deleted),
		T(vm_of_a_lab_is_not_kept),
		T(damaged_definition_is_said_and_left),
		T(definition_of_another_name_is_refused),
		T(vm_that_is_being_started_is_left_alone),
		T(more_memory_than_the_host_has_is_refused),
		T(vm_that_never_was_can_be_removed_from_a_fresh_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
