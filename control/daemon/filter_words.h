/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words of a filter's text, before libpcap sees it.
 *
 * What     Lets pass words of pcap-filter(7) that libpcap has its own token for, numbers, and addresses
 *          in the forms that it reads as such. It takes any other word for a name, and would ask DNS,
 *          or the system's lists of services and protocols, while control waits.
 * Threads  any.
 * Trust    the text is a client's, of any bytes.
 * Limits   ports are numbers; at most FILTER_PORTS_MAX numbers where ports are asked for, a range for
 *          two: libpcap's time grows with their square.
 */
#ifndef CONTROL_DAEMON_FILTER_WORDS_H
#define CONTROL_DAEMON_FILTER_WORDS_H

#include "base/err.h"

#define FILTER_PORTS_MAX 32

/* Checks text, and makes protocols' names (\tcp) the numbers that they stand for. -EINVAL. */
int filter_words_check(char *text, struct err *err);

#endif
