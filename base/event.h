/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals eventfds that others hold too, and never waits for them.
 *
 * What     event_signal() adds 1 to an eventfd, as write(2) would, or leaves it at its highest value.
 * How      A write(2) to an eventfd waits while its counter is full, unless O_NONBLOCK is set. That flag
 *          belongs to the file description, which we share with the front end that sent it: it may
 *          clear the flag at any time, also between a check of ours and the write. Neither io_uring nor
 *          pwritev2() can write to an eventfd without regard to the flag, and an eventfd cannot be
 *          opened anew. But the kernel itself never waits when it signals one. So we submit an
 *          asynchronous operation that is over at once, a poll of /dev/null, and have the kernel signal
 *          its end to the eventfd (io_submit(2), IOCB_FLAG_RESFD). That costs about twice as much as the
 *          write. Where the kernel has no such interface, or /proc/sys/fs/aio-max-nr is used up, it
 *          is a write.
 * Threads  any; each has a context of its own, made when it signals first.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

/* fd: an eventfd. There is no error: whoever holds the other end and breaks it hears nothing. */
void event_signal(int fd);

#endif
