/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices that are opened for another process: bounds of what it may wish, which may be a guest's wish. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "switch/eal.h"
#include "tap/device_early.h"

static int begin(void **state)
{
	const struct eal_opts opts = {.n_workers = 1};
	struct err err = ERR_NONE;

	return eal_start(&opts, &err);
}

static int open_so(const char *device, unsigned n_queues, uint32_t mtu, struct err *err)
{
	struct device_want w = {.n_queues = n_queues, .mtu = mtu};

	*err = (struct err)ERR_NONE;
	snprintf(w.device, sizeof(w.device), "%s", device);
	return device_early_open(&w, err);
}

static void mtu_and_queues_have_bounds(void **state)
{
	static const uint32_t mtus[] = {UINT16_MAX + 1, UINT32_MAX - 20, UINT32_MAX};
	static const unsigned queues[] = {PORT_QUEUES_MAX + 1, UINT16_MAX + 2, UINT32_MAX};
	struct err err;

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(open_so("net_null0", 1, mtus[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "is more than 65535"));
		assert_int_equal(open_so("net_null0", queues[i], 0, &err), -EINVAL);
		assert_non_null(strstr(err.text, "queues are more than"));
	}
	assert_int_equal(open_so("net_null0", 1, 1400, &err), 0);
	device_early_close();
}

static void what_may_not_be_is_refused_here_too(void **state)
{
	static const char *const devices[] = {"", "net_pcap0,tx_pcap=/tmp/x", "net_null0,exec(true)", "net_memif0,x"};
	struct err err;

	for (unsigned i = 0; i < 4; i++)
		assert_true(open_so(devices[i], 1, 0, &err) < 0);
}

static void no_more_wait_than_there_is_room_for(void **state)
{
	char device[32];
	struct err err;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i <= DEVICE_EARLY_MAX; i++) {
		snprintf(device, sizeof(device), "net_null%u", i);
		rc = open_so(device, 1, 0, &err);
	}
	assert_int_equal(rc, -ENOSPC);
	device_early_close();
	assert_int_equal(open_so("net_null0", 1, 0, &err), 0);
	device_early_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mtu_and_queues_have_bounds),
		cmocka_unit_test(what_may_not_be_is_refused_here_too),
		cmocka_unit_test(no_more_wait_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
