/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Eventfds that others have too: told without ever waiting.
 *
 * What     event_signal() adds 1 to an eventfd, as write(2) would, or leaves it at its highest value.
 * How      Whether write(2) waits for room is a flag of the file description, which a front end shares
 *          with us and may clear at any time: between any check of ours and the write. There is no
 *          writing of an eventfd by io_uring or pwritev2() that ignores the flag, and an eventfd cannot
 *          be opened anew. The kernel's own notifications never wait: so we let it notify, of an
 *          asynchronous operation (io_submit(2), IOCB_FLAG_RESFD) that is over at once, a poll of
 *          /dev/null. It costs about twice what the write does. Where there is no such interface, or no
 *          more room in /proc/sys/fs/aio-max-nr, it is a write.
 * Threads  any; each has a context of its own, made when it signals first.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

void event_signal(int fd);

#endif
