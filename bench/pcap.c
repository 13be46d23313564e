/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pcap {
	FILE *file;
	unsigned n_left;
	bool skips; /* the present frame is one too many */
};

int pcap_open(const char *path, unsigned n_frames_max, struct pcap **out, struct err *err)
{
	/* Nanoseconds, version 2.4, Ethernet. */
	const uint32_t header[6] = {0xa1b23c4d, 4 << 16 | 2, 0, 0, 1 << 18, 1};
	struct pcap *p = calloc(1, sizeof(*p));

	p->n_left = n_frames_max;
	p->file = fopen(path, "wbe");
	if (!p->file) {
		free(p);
		return err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
	}
	fwrite(header, sizeof(header), 1, p->file);
	*out = p;
	return 0;
}

void pcap_write(struct pcap *p, uint32_t total, const void *part, uint32_t len, bool is_first)
{
	struct timespec now;

	if (!p)
		return;
	if (is_first) {
		p->skips = !p->n_left;
		if (p->skips)
			return;
		p->n_left--;
		clock_gettime(CLOCK_REALTIME, &now);
		fwrite((uint32_t[]){(uint32_t)now.tv_sec, (uint32_t)now.tv_nsec, total, total}, 4, 4,
		       p->file);
	}
	if (!p->skips)
		fwrite(part, len, 1, p->file);
}

int pcap_close(struct pcap *p)
{
	int failed;

	if (!p)
		return 0;
	failed = ferror(p->file);
	failed |= fclose(p->file);
	free(p);
	return failed ? -EIO : 0;
}
