/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/detached.h"

#include <pthread.h>
#include <signal.h>

#include "base/every_thread.h"

int detached_start(void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t t;
	int rc;

	sigfillset(&all);
	sigdelset(&all, EVERY_THREAD_SIGNAL);
	sigdelset(&all, SIGSYS);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, DETACHED_STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the thread is born with it */
	rc = pthread_create(&t, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}
