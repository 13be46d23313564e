/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/ip_forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tap/host_note.h"

#define SWITCH "/proc/sys/net/ipv4/ip_forward"
#define NOTE   "forward" /* it was off */

static unsigned n_users;
static bool was_off;

static int switch_write(char value)
{
	int fd = open(SWITCH, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0 || write(fd, &value, 1) != 1)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int switch_read(char *value)
{
	int fd = open(SWITCH, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0 || read(fd, value, 1) != 1)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

static void off_again(void)
{
	int rc = switch_write('0');

	if (rc == 0) {
		LOG_INFO("switch: switched IPv4 forwarding off again");
		host_note_del(NOTE);
	} else {
		LOG_WARN("switch: IPv4 forwarding stays on, %s: %s", SWITCH, strerror(-rc));
	}
}

int ip_forward_take(struct err *err)
{
	char value = '1';
	int rc = n_users ? 0 : switch_read(&value);

	if (!n_users && host_note_is_left(NOTE)) {
		host_note_add(NOTE, NULL);
		was_off = true;
	}
	if (rc == 0 && value == '0') {
		rc = host_note_add(NOTE, err);
		if (rc < 0)
			return rc;
		rc = switch_write('1');
		was_off = was_off || rc == 0;
		if (rc == 0)
			LOG_INFO("switch: switched IPv4 forwarding on (%s)", SWITCH);
		else if (!was_off)
			host_note_del(NOTE);
	}
	if (rc < 0) {
		err_set(err, rc, "cannot switch IPv4 forwarding on: %s", strerror(-rc));
		return err_hint(err, "run lanyard-switch as root, or switch it on: sysctl "
				     "net.ipv4.ip_forward=1");
	}
	n_users++;
	return 0;
}

void ip_forward_give(void)
{
	if (--n_users || !was_off)
		return;
	was_off = false;
	off_again();
}

void ip_forward_end_left(void)
{
	if (!n_users && host_note_is_left(NOTE))
		off_again();
}
