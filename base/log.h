/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log: one line a message on stderr, `<level> message`, the message naming
 * its object first.
 *
 * How      LOG_INFO("port \"%s\": up", name). Whatever a peer can provoke goes
 *          through the _RL forms, which let five messages a second a call site
 *          pass and say how many they held back.
 * Threads  any. Hot files do not log at all: they count.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* State of one rate-limited call site; zero is its start. */
struct log_rl {
	uint64_t window_s;
	unsigned n_window, n_held;
};

/* Messages above this level are not printed. Default: LOG_LEVEL_INFO. */
void log_level_set(enum log_level level);

/* Accepts err, warn, info, debug. Returns 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *level);

/* Puts `who: ` before every line: the supervisor's VM, for example. NULL takes it away. */
void log_prefix_set(const char *who);

/* fn is also given each message of this level or above, without its prefix; from any thread, and must
 * neither log nor wait. Set before other threads log; NULL ends it. */
typedef void (*log_tap_fn)(void *arg, enum log_level level, const char *text);
void log_tap_set(log_tap_fn fn, void *arg, enum log_level level);

/* errno survives the call. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True when this call site may log now. */
bool log_rl_ok(struct log_rl *rl, enum log_level level);

#define LOG_ERR(...)   log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define LOG_WARN(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_INFO(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_DEBUG(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#define LOG_RL(level, ...)                          \
	do {                                        \
		static struct log_rl rl_;           \
		if (log_rl_ok(&rl_, level))         \
			log_line(level, __VA_ARGS__); \
	} while (0)
#define LOG_WARN_RL(...) LOG_RL(LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_INFO_RL(...) LOG_RL(LOG_LEVEL_INFO, __VA_ARGS__)

#endif
