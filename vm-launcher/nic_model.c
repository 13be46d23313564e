/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/nic_model.h"

#include <errno.h>
#include <string.h>

#include "control/rpc/suggest.h"

#define N_MODELS (sizeof(models) / sizeof(models[0]))

static const struct nic_model models[] = {
	{"virtio", "virtio-net-pci", NULL, 65535}, {"e1000", "e1000", "e1000", 16110},
	{"e1000e", "e1000e", "e1000e", 9216},	   {"rtl8139", "rtl8139", "8139cp", 4096},
	{"pcnet", "pcnet", "pcnet32", 1500},	   {"ne2k_pci", "ne2k_pci", "ne2k_pci", 1500},
	{"vmxnet3", "vmxnet3", "vmxnet3", 9190},
};

const struct nic_model *nic_model_find(const char *name, struct err *err)
{
	struct suggest near = {NULL, 0};

	for (size_t i = 0; i < N_MODELS; i++) {
		if (!strcmp(models[i].name, name))
			return &models[i];
		suggest_offer(&near, name, models[i].name);
	}
	err_set(err, -EINVAL, "model \"%.20s\" is none of " NIC_MODEL_NAMES, name);
	if (near.best)
		err_hint(err, "did you mean \"%s\"?", near.best);
	return NULL;
}
