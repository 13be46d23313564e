/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RL_PER_SECOND 5 /* enough to see a pattern, too few to fill a disk */

static enum log_level level_max = LOG_LEVEL_INFO;
static char who_prefix[64];
static log_tap_fn tap_fn;
static void *tap_arg;
static enum log_level tap_level;
static const char *const level_names[] = {"err", "warn", "info", "debug"};

void log_level_set(enum log_level level)
{
	level_max = level;
}

int log_level_parse(const char *text, enum log_level *level)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (!strcmp(text, level_names[i])) {
			*level = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

void log_prefix_set(const char *who)
{
	if (who)
		snprintf(who_prefix, sizeof(who_prefix), "%s: ", who);
	else
		who_prefix[0] = '\0';
}

void log_tap_set(log_tap_fn fn, void *arg, enum log_level level)
{
	tap_fn = fn;
	tap_arg = arg;
	tap_level = level;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	int saved = errno, n, at;
	va_list ap;

	if (level > level_max && (!tap_fn || level > tap_level))
		return;
	n = at = snprintf(line, sizeof(line), "%-5s %s", level_names[level], who_prefix);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\0';
	if (tap_fn && level <= tap_level)
		tap_fn(tap_arg, level, line + at);
	if (level > level_max) {
		errno = saved;
		return;
	}
	line[n++] = '\n';
	/* One write a line, so that the lines of several processes do not mix. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		errno = saved;
	errno = saved;
}

bool log_rl_ok(struct log_rl *rl, enum log_level level)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if ((uint64_t)ts.tv_sec != rl->window_s) {
		unsigned held = rl->n_held;

		rl->window_s = (uint64_t)ts.tv_sec;
		rl->n_window = 0;
		rl->n_held = 0;
		if (held)
			log_line(level, "%u messages like the next one were held back", held);
	}
	if (rl->n_window >= RL_PER_SECOND) {
		rl->n_held++;
		return false;
	}
	rl->n_window++;
	return true;
}
