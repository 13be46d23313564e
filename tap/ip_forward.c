/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/ip_forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tap/host_note.h"
#include "tap/nat_rules.h"

#define SWITCH	    "/proc/sys/net/ipv4/ip_forward"
#define NOTE	    "forward" /* it was off */
#define LOCK_MAX_MS 2000

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

int ip_forward_hold(void)
{
	return open(SWITCH, O_PATH | O_CLOEXEC) < 0 ? -errno : 0;
}

/* One of other switches of this host, which only who may switch can take. */
int ip_forward_lock(void)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(SWITCH, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		LOG_WARN_RL("switch: IPv4 forwarding is shared with other switches without a lock, as %s cannot be opened: %s",
			    SWITCH, strerror(errno));
	for (unsigned ms = 0; fd >= 0 && fcntl(fd, F_OFD_SETLK, &whole) < 0; ms++) {
		if ((errno != EAGAIN && errno != EACCES) || ms == LOCK_MAX_MS) {
			LOG_WARN_RL(
				"switch: IPv4 forwarding is shared with another switch that does not answer");
			break;
		}
		usleep(1000);
	}
	return fd;
}

void ip_forward_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

static void off_again(void)
{
	int rc = nat_rules_need_forwarding() ? 1 : switch_write('0');

	if (rc == 1) {
		LOG_INFO("switch: IPv4 forwarding stays on for a nat port of another switch");
		host_note_del(NOTE);
	} else if (rc == 0) {
		LOG_INFO("switch: switched IPv4 forwarding off again");
		host_note_del(NOTE);
	} else {
		LOG_WARN("switch: IPv4 forwarding stays on, %s: %s", SWITCH, strerror(-rc));
	}
}

bool ip_forward_was_off(void)
{
	char value = '1';

	if (n_users)
		return was_off;
	return (switch_read(&value) == 0 && value == '0') || host_note_is_left(NOTE) ||
	       nat_rules_need_forwarding();
}

int ip_forward_take(struct err *err)
{
	bool off = ip_forward_was_off();
	char value = '1';
	int rc = n_users ? 0 : switch_read(&value), noted = 0;

	if (rc == 0 && off && !n_users) {
		noted = host_note_add(NOTE, err);
		if (noted < 0)
			return noted;
	}
	if (rc == 0 && value == '0') {
		rc = switch_write('1');
		if (rc == 0)
			LOG_INFO("switch: switched IPv4 forwarding on (%s)", SWITCH);
		else if (!noted)
			host_note_del(NOTE);
	}
	was_off = off && (n_users || rc == 0);
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

void ip_forward_keep(void)
{
	char value;

	if (n_users && was_off && switch_read(&value) == 0 && value == '0' &&
	    switch_write('1') == 0)
		LOG_WARN_RL("switch: switched IPv4 forwarding on again (%s)", SWITCH);
}

void ip_forward_end_left(void)
{
	if (!n_users && host_note_is_left(NOTE))
		off_again();
}
