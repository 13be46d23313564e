/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/filter.h"

#include <errno.h>
#include <pcap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/filter_words.h"
#include "switch/watch.h"

#define SNAPLEN 262144 /* libpcap's own; what a filter returns for a match */

/* Instructions before libpcap shortens the program, for which it needs their square. */
#define LONG_MAX_INSNS 2048

/* libpcap's own check lets loops pass. */
static bool jumps_forward(const struct bpf_insn *insns, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (insns[i].code == (BPF_JMP | BPF_JA) && insns[i].k >= n - i)
			return false;
	return true;
}

/* The program as libpcap first writes it, and where that is not too long, as it shortens it. */
static int compile(pcap_t *pcap, const char *text, struct bpf_program *program, struct err *err)
{
	if (pcap_compile(pcap, program, text, 0, PCAP_NETMASK_UNKNOWN) < 0)
		return err_set(err, -EINVAL, "%s", pcap_geterr(pcap));
	if (program->bf_len > LONG_MAX_INSNS)
		return err_set(err, -EINVAL,
			       "makes a program of %u instructions; at most %d would be made in "
			       "bounded time",
			       program->bf_len, LONG_MAX_INSNS);
	pcap_freecode(program);
	if (pcap_compile(pcap, program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return err_set(err, -EINVAL, "%s", pcap_geterr(pcap));
	if (program->bf_len > WATCH_FILTER_MAX ||
	    !jumps_forward(program->bf_insns, program->bf_len) ||
	    !bpf_validate(program->bf_insns, (int)program->bf_len))
		return err_set(err, -EINVAL,
			       "makes a program that workers could not run in bounded time");
	return 0;
}

int filter_compile(const char *text, struct bpf_insn **insns, unsigned *n, struct err *err)
{
	struct bpf_program program = {0};
	char checked[FILTER_TEXT_MAX + 1];
	pcap_t *pcap = NULL;
	int rc = 0;

	*insns = NULL;
	*n = 0;
	if (!text)
		return 0;
	if (strlen(text) > FILTER_TEXT_MAX)
		return err_set(err, -EINVAL, "a filter has at most %d bytes", FILTER_TEXT_MAX);
	memcpy(checked, text, strlen(text) + 1);
	rc = filter_words_check(checked, err);
	if (rc == 0)
		pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	if (rc == 0 && !pcap)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = compile(pcap, checked, &program, err);
	if (rc == 0) {
		*insns = malloc(program.bf_len * sizeof(**insns));
		*n = program.bf_len;
		if (*insns)
			memcpy(*insns, program.bf_insns, program.bf_len * sizeof(**insns));
		else
			rc = err_set(err, -ENOMEM, "out of memory");
	}
	if (rc < 0)
		err_prefix(err, "filter \"%.100s\"", text);
	pcap_freecode(&program);
	if (pcap)
		pcap_close(pcap);
	return rc;
}
