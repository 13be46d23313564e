/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Named attacks on a running switch.
 *
 * What     A case is one thing that a guest, a front end or a client does wrong. It passes when the
 *          switch lives on as the same process, the bystander (tests/evil/bystander.h) lost nothing,
 *          the attacked port says what happened to it, its counters add up, and once the port is
 *          deleted the switch has the descriptors and the memory that it had before.
 * How      Each case runs in a process of its own, which can be as wrong as it likes: port "evil"
 *          is made for it, and deleted after it. What does not fit says so and ends (evil_fail).
 * Threads  one a process, but for those that a case starts.
 */
#ifndef TESTS_EVIL_EVIL_H
#define TESTS_EVIL_EVIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "tests/evil/bystander.h"
#include "tests/front_end.h"

#define EVIL_BRIDGE    "evil"
#define EVIL_PORT      "evil"
#define EVIL_VLAN      99 /* of port "evil", an access port … */
#define BYSTANDER_VLAN 10 /* … and of the bystander's */

/* What the processes of a case tell each other, in shared memory. */
struct evil_report {
	char failure[400]; /* what did not hold; "": nothing yet */
	char said[200];	   /* what the port said */
};

struct scene {
	const struct evil_case *c;
	const char *run_dir;
	const char *kernel, *initrd; /* of a guest that sends; NULL where none was given */
	char path[108];		     /* socket of port "evil" */
	char socket[108];	     /* of the daemon */
	struct rpc_client *rpc;
	const struct bystander *bystander;
	pid_t daemon;
	bool long_form;
	uint64_t n_flips; /* of a race; 0: the usual number */
	struct evil_report *report;
};

struct evil_case {
	const char *name;
	const char *what;   /* the attack, in words */
	const char *expect; /* what must happen, in words */
	void (*run)(struct scene *s);
	/* Where port "evil" must be after run(), within 5 s, and a part of its reason; NULL: run() has
	 * looked for itself. */
	const char *state, *reason;
	unsigned arg;	  /* run()'s own */
	bool server;	  /* the attacker owns the socket, the switch connects */
	const char *port; /* more parameters of port.add, as JSON without braces; NULL: none */
};

struct evil_group {
	const char *name;
	const struct evil_case *cases; /* ends with .name == NULL */
};

extern const struct evil_case evil_rings[], evil_races[], evil_frames[], evil_protocol[],
	evil_connections[], evil_memory[], evil_network[], evil_fds[], evil_control[], evil_qemu[];

/* Ends the case with a sentence. */
void __attribute__((noreturn, format(printf, 2, 3)))
evil_fail(struct scene *s, const char *fmt, ...);

/* One call of the daemon; params is stolen. What it answers, a new reference; an error fails the case. */
json_t *evil_call(struct scene *s, const char *method, json_t *params);

/* A front end of port "evil"; waits for `up` unless it has no rings. */
struct fe *evil_attacker(struct scene *s, struct fe_opts o);

/* Another port on the bridge, access port of a VLAN, with its front end. Names begin with "evil". */
struct fe *evil_neighbour(struct scene *s, const char *name, unsigned vlan, struct fe_opts o);

/* The same with more parameters of port.add, as JSON without braces; a null takes one away. */
struct fe *evil_neighbour_with(struct scene *s, const char *name, unsigned vlan, const char *more,
			       struct fe_opts o);

/* Port "evil" as port.list shows it, a new reference. */
json_t *evil_port(struct scene *s, const char *name);

/* Waits up to 10 s until port "evil" is in a state, its reason holding a text (NULL: any). */
void evil_await(struct scene *s, const char *state, const char *reason);

/* Notes for the report what port "evil" says now. */
void evil_note(struct scene *s);

/* Heals port "evil" by `port up`, and waits for a state. */
void evil_heal(struct scene *s, const char *state);

/* Counter "rx_frames", or "rx_drops.too_short" …, of a port. */
uint64_t evil_counter(struct scene *s, const char *port, const char *name);

/* Waits up to 10 s until a counter is at least n. */
void evil_await_counter(struct scene *s, const char *port, const char *name, uint64_t n);

#endif
