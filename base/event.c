/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/event.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* What io_setup(2) maps: Linux's fs/aio.c, which libaio too relies on. */
struct completions {
	uint32_t id, n, head, tail, magic;
};
#define COMPLETIONS_MAGIC 0xa10a10a1

/* The kernel has as many places at least as it is asked for, and we take each result back at once. */
#define PLACES 8

static _Thread_local aio_context_t context;
static _Thread_local enum { NEW, READY, NONE } have; /* of this thread's context */
static int null_fd = -1;
static pthread_key_t at_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void context_destroy(void *arg)
{
	syscall(SYS_io_destroy, (aio_context_t)(uintptr_t)arg);
}

static void process_init(void)
{
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pthread_key_create(&at_end, context_destroy) != 0)
		null_fd = -1;
}

static void context_create(void)
{
	pthread_once(&once, process_init);
	context = 0;
	have = NONE;
	if (null_fd < 0 || syscall(SYS_io_setup, PLACES, &context) < 0) {
		LOG_WARN(
			"a front end can hold up others by a full call eventfd: no asynchronous I/O here (%s)",
			null_fd < 0 ? "no /dev/null" : "io_setup");
		return;
	}
	/* Anything else could not be taken back by us. */
	if (((struct completions *)context)->magic != COMPLETIONS_MAGIC) {
		syscall(SYS_io_destroy, context);
		return;
	}
	pthread_setspecific(at_end, (void *)(uintptr_t)context);
	have = READY;
}

static int submit(int fd)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = (uint32_t)null_fd,
		.aio_buf = POLLIN, /* which it always is */
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *cbs = &cb;
	struct completions *done = (struct completions *)context;

	if (syscall(SYS_io_submit, context, 1, &cbs) != 1)
		return -errno;
	__atomic_store_n(&done->head, __atomic_load_n(&done->tail, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	return 0;
}

void event_signal(int fd)
{
	uint64_t n = 1;
	int rc;

	if (__builtin_expect(have == NEW, 0))
		context_create();
	if (__builtin_expect(have == READY, 1)) {
		rc = submit(fd);
		if (__builtin_expect(rc == 0 || rc == -EBADF, 1))
			return;
		/* A process that was forked has its parent's word but not its context; kernels before 4.18
		 * cannot poll this way. */
		context_create();
		if (have == READY && submit(fd) == 0)
			return;
		have = NONE;
	}
	if (write(fd, &n, sizeof(n)) < 0)
		return; /* full: whoever reads it has been told */
}
