/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One VM, as its supervisor (lanyard-vm) holds it.
 *
 * What     QEMU and what is connected to it: QMP, the console, the agent, the ports in the switch.
 * How      One process a VM, so that the end of no other process touches it. The state is also
 *          written to RUN_DIR/vm/<id>.json at each change, for a time when nobody answers.
 *          QEMU outlives its supervisor: its channels are sockets that it listens on, and that file says
 *          which process it is, so that another supervisor takes the VM over (vm_adopt()).
 * Threads  one; everything runs in the loop.
 * Trust    QEMU and guest are hostile, see qmp.h, agent.h and console.h.
 */
#ifndef VM_LAUNCHER_VM_H
#define VM_LAUNCHER_VM_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/loop.h"
#include "control/rpc/server.h"
#include "vm-launcher/agent.h"
#include "vm-launcher/console.h"
#include "vm-launcher/qmp.h"
#include "vm-launcher/switch_link.h"
#include "vm-launcher/vm_path.h"
#include "vm-launcher/vm_spec.h"
#include "vm-launcher/vm_user.h"

#define VM_START_DEADLINE_MS 30000 /* QEMU's first word: kernel and firmware come after it */
#define VM_QEMU_ERRORS_BYTES 2048

/*
 * STARTING  ports are made, QEMU is started; its greeting -> RUNNING, deadline or end -> FAILED
 * RUNNING   vm.pause -> PAUSED; vm.stop -> STOPPING; QEMU ends: STOPPED when the guest shut down or
 *           somebody asked for it, else FAILED
 * PAUSED    vm.resume -> RUNNING
 * STOPPING  the guest was asked; its deadline passes: QEMU is killed -> STOPPED
 * STOPPED, FAILED  the supervisor removes the ports, answers who waits, and ends
 */
enum vm_state { VM_STARTING, VM_RUNNING, VM_PAUSED, VM_STOPPING, VM_STOPPED, VM_FAILED };

/* A client that waits for something (vm.wait, vm.stop). */
struct vm_waiter {
	LIST_ENTRY(vm_waiter) link;
	struct vm *vm;
	struct rpc_call *call;
	enum { VM_AWAIT_RUNNING, VM_AWAIT_READY, VM_AWAIT_STOPPED } what;
	double timeout_s;
	struct loop_timer *timer;
};

struct vm {
	struct loop *loop;
	const char *run_dir;
	char id[VM_ID_BYTES];
	struct vm_spec spec;
	enum vm_state state;
	char reason[448]; /* by vm_reason_set() or vm_state_set() */
	bool ready;
	double ready_s; /* from start to the first ready; 0: not yet */
	pid_t guard_pid; /* see vm_guard.h; it may have ended since */
	uint64_t guard_start;
	uint64_t start_ns;
	int64_t started_at; /* seconds since 1970 */
	/* QEMU */
	pid_t qemu_pid; /* 0: none */
	uint64_t qemu_start; /* see process_id.h */
	int store_lock_fd; /* to be held by QEMU; -1: none */
	struct vm_user user; /* QEMU's */
	int qemu_pidfd, qemu_err_fd;
	struct loop_fd *qemu_watch, *qemu_err_watch;
	char qemu_errors[VM_QEMU_ERRORS_BYTES]; /* the last it said on stderr */
	size_t qemu_errors_len;
	struct qmp *qmp;
	bool guest_shut_down; /* QMP said so */
	bool timed_out;	      /* QEMU did not come up before the deadline */
	bool no_memory;	      /* QEMU ended for want of memory */
	bool end_wanted;      /* stop or kill: the end of QEMU is no failure */
	bool adopted;	      /* another supervisor has started QEMU: it is no child of this one */
	bool was_ready;	      /* and its addresses were set then */
	struct loop_timer *deadline, *insist, *linger;
	double stop_within_s;
	/* the rest */
	struct agent *agent;
	unsigned n_address_tries;
	bool waits_for_lease; /* all but that is set */
	struct loop_timer *address_retry;
	struct console *console;
	struct switch_link *link;
	bool no_carrier[VM_NICS_MAX]; /* shall not be seen by the guest */
	struct rpc_server *server;
	LIST_HEAD(, vm_waiter) waiters;
};

/* vm_state.c */
void vm_state_set(struct vm *vm, enum vm_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The reason alone, made fit to be shown: it may quote guest and QEMU. */
void vm_reason_set(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vm_ready_set(struct vm *vm, bool ready);
bool vm_is_over(const struct vm *vm);
json_t *vm_status(const struct vm *vm);
int vm_save(const struct vm *vm); /* failures are logged, too */
/* What a supervisor before this one has saved. True, and adopted, where it had started QEMU and the VM is
 * not over. */
bool vm_take_up(struct vm *vm, const json_t *doc);
void vm_report(struct vm *vm); /* to the switch */
/* Answers call when it is so, or after timeout_s with -ETIMEDOUT. 0 or -errno. */
int vm_await(struct vm *vm, struct rpc_call *call, int what, double timeout_s);

/* vm_run.c */
void vm_start(struct vm *vm);
/* Instead: QEMU runs, or did, as vm_take_up() has found. */
void vm_adopt(struct vm *vm);
void vm_kill(struct vm *vm, const char *reason);
void vm_release(struct vm *vm);

/* vm_qemu.c: the process */
int vm_qemu_spawn(struct vm *vm, const struct qmp_opts *qmp_opts, struct err *err);
/* Connects to one that runs. -ESRCH: it has ended. */
int vm_qemu_adopt(struct vm *vm, const struct qmp_opts *qmp_opts, struct err *err);
/* QEMU has made its sockets: from here on nobody else makes any there. */
void vm_qemu_folder_close(struct vm *vm);
void vm_qemu_kill(struct vm *vm);
void vm_qemu_release(struct vm *vm);
/* In vm_run.c; -1: nobody knows, it was another one's child. */
void vm_on_qemu_end(struct vm *vm, int wait_status);
/* The last line QEMU said on stderr, into buf. */
const char *vm_qemu_last_words(const struct vm *vm, char *buf, size_t size);

/* vm_guest.c */
void vm_guest_agent_ready(void *vm);
void vm_guest_agent_lost(void *vm);
void vm_guest_stop(struct vm *vm, double within_s);

/* vm_nics.c; arg is the vm: for the switch's link */
void vm_nic_carrier(void *arg, unsigned i, bool on);
void vm_nic_mtu(void *arg, unsigned i, int mtu);
/* Tells QEMU again what it may have forgotten. */
void vm_nics_tell(struct vm *vm);

/* vm_serve.c */
int vm_serve(struct vm *vm, struct err *err);

#endif
