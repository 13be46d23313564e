/* SPDX-License-Identifier: BSD-3-Clause */
/* The proof of KVM against devices that lie: one sentence for each way to fail, in bounded time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/loop.h"
#include "vm-launcher/accel.h"

#define DEADLINE_MS 10000 /* for a child that has nothing to wait for, on a busy machine */
#define HANG_MS     200

static unsigned long failing_request; /* 0: none */
static unsigned exit_reason = KVM_EXIT_HLT;
static int hangs;

static int fake_open(const char *path)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	if (request == failing_request) {
		errno = ENXIO;
		return -1;
	}
	if (request == KVM_RUN && hangs)
		for (;;)
			pause();
	if (request == KVM_CREATE_VM || request == KVM_CREATE_VCPU)
		return 100;
	return request == KVM_GET_VCPU_MMAP_SIZE ? (int)sizeof(struct kvm_run) : 0;
}

static void *fake_map(int fd, size_t size)
{
	struct kvm_run *run =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	run->exit_reason = exit_reason;
	return run;
}

static const struct kvm_ops fake = {fake_open, fake_ioctl, fake_map};

static int reset(void **state)
{
	failing_request = 0;
	exit_reason = KVM_EXIT_HLT;
	hangs = 0;
	return 0;
}

static void halting_guest_proves_kvm(void **state)
{
	struct err err = ERR_NONE;

	assert_int_equal(kvm_prove(&fake, DEADLINE_MS, &err), 0);
}

static int no_open(const char *path)
{
	errno = EACCES;
	return -1;
}

static void device_that_cannot_be_opened_is_named(void **state)
{
	const struct kvm_ops ops = {no_open, fake_ioctl, fake_map};
	struct err err = ERR_NONE;

	assert_int_equal(kvm_prove(&ops, DEADLINE_MS, &err), -EACCES);
	assert_string_equal(err.text, "KVM is not available: /dev/kvm cannot be opened: "
				      "Permission denied");
	assert_string_equal(err.hint, "join the group kvm, or run as root");
}

static void each_call_that_fails_is_named(void **state)
{
	static const struct {
		unsigned long request;
		const char *name;
	} calls[] = {
		{KVM_CREATE_VM, "KVM_CREATE_VM"},
		{KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION"},
		{KVM_CREATE_VCPU, "KVM_CREATE_VCPU"},
		{KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE"},
		{KVM_GET_SREGS, "KVM_GET_SREGS"},
		{KVM_SET_SREGS, "KVM_SET_SREGS"},
		{KVM_SET_REGS, "KVM_SET_REGS"},
		{KVM_RUN, "KVM_RUN"},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct err err = ERR_NONE;
		char want[160];

		failing_request = calls[i].request;
		assert_int_equal(kvm_prove(&fake, DEADLINE_MS, &err), -ENXIO);
		snprintf(want, sizeof(want),
			 "KVM cannot run guests here: %s fails: No such device or address",
			 calls[i].name);
		assert_string_equal(err.text, want);
	}
}

static void guest_that_hangs_is_given_up_at_the_deadline(void **state)
{
	struct err err = ERR_NONE;
	uint64_t start_ns = loop_now_ns(), took_ms;

	hangs = 1;
	assert_int_equal(kvm_prove(&fake, HANG_MS, &err), -ETIMEDOUT);
	took_ms = (loop_now_ns() - start_ns) / MS_NS;
	assert_in_range(took_ms, HANG_MS, HANG_MS + 10000);
	assert_string_equal(err.text,
			    "KVM is too slow or hangs: a test guest did not finish a loop of "
			    "1000000 rounds in KVM_RUN within 200 ms (hardware needs about "
			    "1 ms)");
}

static void guest_that_ends_otherwise_is_refused(void **state)
{
	struct err err = ERR_NONE;

	exit_reason = KVM_EXIT_SHUTDOWN;
	assert_int_equal(kvm_prove(&fake, DEADLINE_MS, &err), -EIO);
	assert_non_null(strstr(err.text, "exit reason 8 instead of a halt"));
}

static void auto_falls_back_to_tcg_and_says_why(void **state)
{
	struct accel_choice choice;
	struct err err = ERR_NONE;

	failing_request = KVM_CREATE_VM;
	assert_int_equal(accel_choose("auto", NULL, &fake, &choice, &err), 0);
	assert_int_equal(choice.accel, ACCEL_TCG);
	assert_non_null(strstr(choice.reason, "KVM_CREATE_VM fails"));
	assert_int_equal(accel_choose("kvm", NULL, &fake, &choice, &err), -ENOTSUP);
	assert_int_equal(accel_choose("tcg", NULL, &fake, &choice, &err), 0);
	assert_string_equal(choice.reason, "asked for");
}

static void verdict_is_remembered_for_this_boot(void **state)
{
	char dir[] = "/tmp/lanyard-test-XXXXXX", path[64];
	struct accel_choice choice;
	struct err err = ERR_NONE;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(accel_choose("auto", dir, &fake, &choice, &err), 0);
	assert_int_equal(choice.accel, ACCEL_KVM);
	hangs = 1; /* not asked again */
	assert_int_equal(accel_choose("auto", dir, &fake, &choice, &err), 0);
	assert_int_equal(choice.accel, ACCEL_KVM);
	snprintf(path, sizeof(path), "%s/kvm-verdict.json", dir);
	unlink(path);
	rmdir(dir);
}

/* Who joins the group that the sentence names wants KVM at once, not after the next boot. */
static void device_that_cannot_be_opened_is_tried_again(void **state)
{
	const struct kvm_ops closed = {no_open, fake_ioctl, fake_map};
	char dir[] = "/tmp/lanyard-test-XXXXXX", path[64];
	struct accel_choice choice;
	struct err err = ERR_NONE;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(accel_choose("auto", dir, &closed, &choice, &err), 0);
	assert_int_equal(choice.accel, ACCEL_TCG);
	assert_non_null(strstr(choice.reason, "Permission denied; join the group kvm"));
	assert_int_equal(accel_choose("auto", dir, &fake, &choice, &err), 0);
	assert_int_equal(choice.accel, ACCEL_KVM);
	snprintf(path, sizeof(path), "%s/kvm-verdict.json", dir);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(halting_guest_proves_kvm, reset),
		cmocka_unit_test_setup(device_that_cannot_be_opened_is_named, reset),
		cmocka_unit_test_setup(each_call_that_fails_is_named, reset),
		cmocka_unit_test_setup(guest_that_hangs_is_given_up_at_the_deadline, reset),
		cmocka_unit_test_setup(guest_that_ends_otherwise_is_refused, reset),
		cmocka_unit_test_setup(auto_falls_back_to_tcg_and_says_why, reset),
		cmocka_unit_test_setup(verdict_is_remembered_for_this_boot, reset),
		cmocka_unit_test_setup(device_that_cannot_be_opened_is_tried_again, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
