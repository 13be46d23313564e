/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of the keeper, for its own files only: keeper.c begins and ends, lives.c starts packet processes and hands
 * everything on to one, deaths.c buries them, messages.c hears what they say, succession.c has one yield to
 * the next, opening.c has one open what another wants, stored.c sees to it that another keeper can go on.
 *
 * Threads  the keeper's one.
 */
#ifndef CONTROL_KEEPER_INTERNAL_H
#define CONTROL_KEEPER_INTERNAL_H

#include "base/loop.h"
#include "control/keeper/fd_store.h"
#include "control/keeper/fd_table.h"
#include "control/keeper/helper.h"
#include "control/keeper/keeper.h"
#include "control/keeper/ledger.h"
#include "control/keeper/packet.h"
#include "control/keeper/paths.h"
#include "control/keeper/takeover.h"
#include "control/keeper/watchdog.h"

/*
 * A planned succession. NONE -> WARMING by succession_begin(), until the heir is warm; -> ASKED when the active
 * one is asked to yield; -> BEGUN when it says that it does so, and nobody forwards; -> NONE when it has yielded,
 * when it said that it stays, or when it died first. ASKED ends after YIELD_MAX with everything as it
 * was; BEGUN with its death.
 */
enum succession_state { SUCCESSION_NONE, SUCCESSION_WARMING, SUCCESSION_ASKED, SUCCESSION_BEGUN };

struct succession {
	enum succession_state state;
	char reason[96];
	struct loop_timer *timer;
	uint64_t yielded_ns; /* not 0: it has, and is still called the active one */
};

/*
 * A takeover (control/keeper/takeover.h). NONE -> WARMING: k->spare is the new build's, and starts; -> CHECKING: it
 * looks at what there is; -> YIELDING: the old one is asked; -> READYING: k->active is the new build's; -> EXEC: it
 * forwards, and the keeper becomes the new build's. Every failure leads to NONE.
 */
enum takeover_state {
	TAKEOVER_NONE,
	TAKEOVER_WARMING,
	TAKEOVER_CHECKING,
	TAKEOVER_YIELDING,
	TAKEOVER_READYING,
	TAKEOVER_EXEC
};

struct takeover {
	enum takeover_state state;
	int listen, client; /* -1 */
	struct loop_fd *listen_watch, *client_watch;
	struct loop_timer *timer;
	struct packet *reserve; /* the old build's spare; nobody watches it */
	struct takeover_request request;
	char asked[96]; /* a succession that was asked for meanwhile; empty: none */
};

/* A device that the active one has another process open. NONE -> WARMING by opening_ask(), until the spare is warm and
 * enough time has passed; -> ASKED: it opens; -> NONE when it has answered, or died. */
enum opening_state { OPENING_NONE, OPENING_WARMING, OPENING_ASKED };

struct opening {
	enum opening_state state;
	struct channel_device request;
	struct loop_timer *timer;
	bool is_open;			   /* the spare has opened some */
	uint64_t opens_ns, successions_ns; /* until when those that were are paid for */
};

struct keeper {
	const struct keeper_opts *opts;
	const char *packet_program; /* of which build: that of opts, or the one that takes over */
	struct takeover takeover;
	struct loop *loop;
	struct fd_table *table;
	struct paths *paths;
	struct helper *helper;
	int lock_fds[2]; /* the helper's, of a keeper that was another build's */
	struct pulse *pulse; /* of the active one; its memfd is pulse_fd */
	int pulse_fd, mourner_fd; /* -1 */
	int fds_max; /* descriptors from this number on are not kept */
	struct loop_fd *mourner_watch;
	struct packet *dying; /* nothing of it runs any more, but it is not gone yet; or NULL */
	struct packet *active, *spare; /* spare: not handed anything yet */
	struct loop_fd *signal_watch;
	struct loop_timer *spare_timer, *tick_timer, *deadline_timer, *core_timer;
	unsigned n_core, n_core_looks; /* how often it was seen to be writing its core, and was looked at */
	struct watchdog watchdog;
	struct succession succession;
	struct opening opening;
	struct channel_go go;
	uint64_t backoff_ns;
	unsigned n_doomed;
	bool listening, was_ready, stopping;
	bool told_ready;	      /* the service manager was told that the switch is ready */
	bool leaving;		      /* it goes, and all that it keeps stays */
	struct ledger *ledger;	      /* of the active one; NULL: nothing is stored */
	uint32_t heard[LEDGER_SLOTS]; /* messages of the active one, by slot */
	struct loop_timer *push_timer;
	int status; /* the exit status, while stopping */
	char hung[64];	  /* why the active one was killed by us */
	bool hung_itself; /* or somebody had stopped it, which is no port's fault */
};

/* ---- keeper.c ---- */

/* why: said; NULL: somebody has. tell: the active one does not know yet. */
void keeper_stop(struct keeper *k, const char *why, bool tell);
/* The same for a failure of ours. */
void keeper_fail(struct keeper *k);

/* ---- lives.c ---- */

void spare_start(void *arg); /* k; a timer's function */
/* Now, or after the pause that failures have earned. */
void spare_soon(struct keeper *k);
/* The one that is to forward next becomes the one that does, of which the keeper must have none. */
/* What does for packet processes what they have no rights for: each asks on sockets of its own. What one of them has
 * done to its ends, or to whom it gave them, is nobody's after it. */
int servants_renew(struct keeper *k);
void hand_over(struct keeper *k);
/* Sends copies of what is kept of some kinds (KEEP_BIT) to a packet process. 0, as channel_send(). */
int hand_kinds(struct keeper *k, int channel, uint32_t kinds);
void active_ready(struct keeper *k, uint64_t forwards_ns);
void pulse_end(struct keeper *k);
/* Maps what pulse_fd is. */
int pulse_map(struct keeper *k);
/* Kills it, for this reason; its death is the way on. */
void active_hung(struct keeper *k, const char *text);
/* Looks from now on whether the active one moves. */
void watch_over(struct keeper *k);
/* A while after readiness. */
void spare_later(struct keeper *k);

/* ---- deaths.c ---- */

void on_active_exit(void *arg, int fd, uint32_t events);
void on_spare_exit(void *arg, int fd, uint32_t events);
/* Without one the active one's death is heard of a little later. */
void mourner_begin(struct keeper *k);
void mourner_end(struct keeper *k);
/* Takes what it sent, and the watches from it. */
void active_forget(struct keeper *k);
/* It touches nothing any more, and is buried when it is gone. */
void active_let_go(struct keeper *k);
/* So it is from now on, for the reason that the kernel gives; while: what it is still at. */
void active_harmless(struct keeper *k, const char *meanwhile);

/* ---- core.c ---- */

/* Looks for a while whether the active one is writing its core: the next one need not wait for that. */
void core_look(struct keeper *k);

/* ---- messages.c ---- */

void on_active_channel(void *arg, int fd, uint32_t events);
void on_spare_channel(void *arg, int fd, uint32_t events);
/* All that the active one has sent, or (all false) one turn's worth. 0, or what ended it. */
int active_read(struct keeper *k, bool all);

/* ---- stored.c ---- */

/* After the table is there: adds what a predecessor left. */
void stored_begin(struct keeper *k);
/* The same for a keeper that took the place of another one by exec. */
void stored_go_on(struct keeper *k);
/* What the active one said of this slot has been done; all that was, at the end of a turn. */
void stored_say(struct keeper *k, uint16_t slot);
void stored_flush(struct keeper *k);
/* Before a change of everything. */
void stored_mark_all(struct keeper *k);
/* Before all is handed to another process. -errno. */
int stored_hand_over(struct keeper *k);
/* The keeper goes, and leaves everything as it is; nobody forwards any more. */
void stored_leave(struct keeper *k, const char *why);
void stored_left(struct keeper *k);
/* At the keeper's end with that status. */
void stored_end(struct keeper *k, int status);

/* ---- takeover.c ---- */

/* Without its socket there are no takeovers, and that is said. */
void takeover_listen(struct keeper *k);
void takeover_end(struct keeper *k);
/* The one under way, if there is one, has failed: everything becomes as it was. */
void takeover_fail(struct keeper *k, int result, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The new build's packet process is warm; has looked (NULL: it can go on with everything); was handed everything. */
void takeover_warm(struct keeper *k);
void takeover_checked(struct keeper *k, const char *why_not);
void takeover_handed(struct keeper *k);
/* It is ready, or the old one is gone altogether. */
void takeover_go_on(struct keeper *k);
/* To who asked, and no more. */
void takeover_answer(struct keeper *k, int result, const char *text);

/* ---- opening.c ---- */

/* The active one asks. */
void opening_ask(struct keeper *k, const struct channel_device *device);
/* It does not need what was opened. */
void opening_unopen(struct keeper *k);
/* The spare is warm; has answered; is no more, or not the next one. */
void opening_go_on(struct keeper *k);
void opening_answered(struct keeper *k, const struct channel_opened *opened);
void opening_lost(struct keeper *k, const char *why);
/* The active one is gone, or the spare is it. */
void opening_forget(struct keeper *k);
/* Whether the active one may have yet another succession already; counts it. */
bool opening_succession_may(struct keeper *k);

/* ---- image.c ---- */

/* Becomes the keeper of takeover.request. -errno: it cannot, and nothing has changed. */
int image_exec(struct keeper *k);
/* Goes on with what image_exec() left in opts->image_fd. -errno with a sentence. */
int image_take(struct keeper *k, struct err *err);

/* ---- succession.c ---- */

/* The active one shall yield to the next; one at a time: false while another is under way. */
bool succession_begin(struct keeper *k, const char *reason);
/* The same with nobody to yield to: false where it cannot be asked. */
bool succession_leave(struct keeper *k, const char *reason);
/* Somebody has become warm. */
void succession_go_on(struct keeper *k);
/* The active one says that it begins, or stays. */
void succession_begun(struct keeper *k);
void succession_refused(struct keeper *k, const char *text);
/* After CHANNEL_YIELDED. */
void succession_finish(struct keeper *k);
/* The active one is gone. */
void succession_forget(struct keeper *k);

#endif
