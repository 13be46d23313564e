/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/counters.h"

#define X(e, name, text) [e] = name,
const char *const rx_drop_names[N_RX_DROPS] = {RX_DROPS(X)};
const char *const tx_drop_names[N_TX_DROPS] = {TX_DROPS(X)};
#undef X

#define X(e, name, text) [e] = text,
const char *const rx_drop_texts[N_RX_DROPS] = {RX_DROPS(X)};
const char *const tx_drop_texts[N_TX_DROPS] = {TX_DROPS(X)};
#undef X
