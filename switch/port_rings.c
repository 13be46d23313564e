/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which rings of a port the workers poll and fill, and which worker polls which; see switch/port.h.
 *
 * How      A ring is in a worker's hands while a view has it. To take it away is to publish a view without it,
 *          which returns when no worker uses the one before: then the driver may unmap it.
 * Threads  control.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "switch/internal.h"
#include "switch/rebalance.h"
#include "switch/worker.h"

int port_rx_start(struct port *p, unsigned q, int kick_fd, struct err *err)
{
	struct switch_ *sw = p->sw;
	unsigned worker = rebalance_place(sw);
	int rc;

	if (kick_fd >= 0) {
		rc = worker_watch(sw->workers[worker], kick_fd, p->id, q);
		if (rc < 0)
			return err_set(err, rc, "port \"%s\": queue %u: cannot watch its kick descriptor: %s",
				       p->name, q, strerror(-rc));
	}
	p->kick_fd[q] = kick_fd;
	p->rx_worker[q] = (uint8_t)worker;
	p->rx_mask |= 1u << q;
	rc = switch_publish(sw);
	if (rc < 0) {
		p->rx_mask &= ~(1u << q);
		if (kick_fd >= 0)
			worker_unwatch(sw->workers[worker], kick_fd);
		return err_set(err, rc, "port \"%s\": out of memory", p->name);
	}
	return 0;
}

int port_rx_move(struct port *p, unsigned q, unsigned worker)
{
	struct worker *from = p->sw->workers[p->rx_worker[q]], *to = p->sw->workers[worker];
	int rc = 0;

	if (!(p->rx_mask >> q & 1) || from == to)
		return 0;
	if (p->kick_fd[q] >= 0)
		rc = worker_watch(to, p->kick_fd[q], p->id, q);
	if (rc < 0)
		return rc;
	/* In nobody's view for a moment: when this has returned, nobody is in the ring. */
	p->rx_mask &= ~(1u << q);
	rc = switch_publish(p->sw);
	p->rx_mask |= 1u << q;
	if (rc == 0)
		p->rx_worker[q] = (uint8_t)worker;
	if (p->kick_fd[q] >= 0)
		worker_unwatch(rc < 0 ? to : from, p->kick_fd[q]);
	/* Nobody polls the ring until there is a view with it: memory must come. */
	while (rc == 0 && switch_publish(p->sw) < 0)
		usleep(1000);
	return rc;
}

int port_tx_start(struct port *p, unsigned q, struct err *err)
{
	int rc;

	p->tx_mask |= 1u << q;
	rc = switch_publish(p->sw);
	if (rc < 0) {
		p->tx_mask &= ~(1u << q);
		return err_set(err, rc, "port \"%s\": out of memory", p->name);
	}
	return 0;
}

static void rings_stop(struct port *p, uint32_t rx, uint32_t tx)
{
	rx &= p->rx_mask;
	tx &= p->tx_mask;
	if (!rx && !tx)
		return;
	p->rx_mask &= ~rx;
	p->tx_mask &= ~tx;
	/* The caller will unmap what these rings use: no way round a grace period. */
	while (switch_publish(p->sw) < 0)
		usleep(1000);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (rx >> q & 1 && p->kick_fd[q] >= 0) {
			worker_unwatch(p->sw->workers[p->rx_worker[q]], p->kick_fd[q]);
			p->kick_fd[q] = -1;
		}
}

void port_rx_stop(struct port *p, unsigned q)
{
	rings_stop(p, 1u << q, 0);
}

void port_tx_stop(struct port *p, unsigned q)
{
	rings_stop(p, 0, 1u << q);
}

void port_stop_all(struct port *p)
{
	rings_stop(p, ~0u, ~0u);
}
