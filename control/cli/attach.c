/* SPDX-License-Identifier: BSD-3-Clause */
/* What to paste to attach a guest that somebody else runs. */
#include <stdio.h>
#include <string.h>

#include "control/cli/show.h"
#include "control/rpc/text_of.h"

#define RING "1024" /* a 64 KB frame takes some 43 buffers: six of them fill a ring of 256 */

/* 0: none was given. */
static long long mtu_of(const json_t *port)
{
	return (long long)json_integer_value(json_object_get(port, "mtu"));
}

/* 0: none were given, and one does. */
static long long queues_of(const json_t *port)
{
	return (long long)json_integer_value(json_object_get(port, "queues_given"));
}

static bool is_vhost_user(const json_t *port)
{
	return !strcmp(text_of(port, "type"), "vhost-user");
}

/* A comma in a QEMU option's value is written twice. */
static void qemu_value(const char *text)
{
	for (; *text; text++)
		fputs(*text == ',' ? ",," : (char[2]){*text, '\0'}, stdout);
}

static void qemu_print(const json_t *port, size_t i)
{
	bool listens = json_is_true(json_object_get(port, "listen"));

	printf("# port %s: share the guest's memory (once; size is that of -m)\n",
	       text_of(port, "name"));
	puts("-object memory-backend-memfd,id=mem0,size=1G,share=on -machine memory-backend=mem0 \\");
	printf("-chardev socket,id=lanyard%zu,path=", i);
	qemu_value(text_of(port, "path"));
	/* The end that does not listen is the one that connects. */
	puts(listens ? ",reconnect=1 \\" : ",server=on,wait=off \\");
	printf("-netdev vhost-user,id=net%zu,chardev=lanyard%zu", i, i);
	if (queues_of(port) > 1)
		printf(",queues=%lld", queues_of(port));
	puts(" \\");
	/* QEMU would take a guest's wish for other receive offloads and tell nobody of it. */
	printf("-device virtio-net-pci,netdev=net%zu,rx_queue_size=" RING ",tx_queue_size=" RING
	       ",ctrl_guest_offloads=off",
	       i);
	if (mtu_of(port))
		printf(",host_mtu=%lld", mtu_of(port));
	/* One for each ring, one for the control queue, one for changes of the configuration. */
	if (queues_of(port) > 1)
		printf(",mq=on,vectors=%lld", 2 * queues_of(port) + 2);
	if (*text_of(port, "mac"))
		printf(",mac=%s", text_of(port, "mac"));
	putchar('\n');
}

void attach_qemu_print(const json_t *ports)
{
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		if (is_vhost_user(port))
			qemu_print(port, i);
		else
			printf("# port %s is a %s: no guest attaches to it\n",
			       text_of(port, "name"), text_of(port, "type"));
	}
}

static void xml_value(const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", stdout);
			break;
		case '<':
			fputs("&lt;", stdout);
			break;
		case '\'':
			fputs("&apos;", stdout);
			break;
		default:
			fputc(*text, stdout);
		}
}

static void libvirt_print(const json_t *port)
{
	bool listens = json_is_true(json_object_get(port, "listen"));

	printf("<!-- port %s; the domain needs <memoryBacking><source type='memfd'/>"
	       "<access mode='shared'/></memoryBacking> -->\n",
	       text_of(port, "name"));
	fputs("<interface type='vhostuser'>\n  <source type='unix' path='", stdout);
	xml_value(text_of(port, "path"));
	/* Without reconnect a client never comes back: not after `port down`, nor after a new start of the switch. */
	puts(listens ? "' mode='client'>\n    <reconnect enabled='yes' timeout='1'/>\n  </source>" : "' mode='server'/>");
	/* With guard mac no other address gets in. */
	if (*text_of(port, "mac"))
		printf("  <mac address='%s'/>\n", text_of(port, "mac"));
	fputs("  <model type='virtio'/>\n  <driver", stdout);
	if (queues_of(port) > 1)
		printf(" queues='%lld'", queues_of(port));
	puts(" rx_queue_size='" RING "' tx_queue_size='" RING "'/>");
	if (mtu_of(port))
		printf("  <mtu size='%lld'/>\n", mtu_of(port));
	puts("</interface>");
}

void attach_libvirt_print(const json_t *ports)
{
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		if (is_vhost_user(port))
			libvirt_print(port);
		else
			printf("<!-- port %s is a %s: no guest attaches to it -->\n",
			       text_of(port, "name"), text_of(port, "type"));
	}
}
