/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hand-made configuration as one document: the keys `bridges:` and `ports:` of a
 * lab file, and the same as JSON, {bridges: {name: settings}, ports: {name: settings}}.
 *
 * What     `show config` writes it, `apply` and `diff` read it. Settings are the
 *          parameters of bridge.add and port.add without name and owner.
 * Threads  any.
 */
#ifndef CONTROL_YAML_DOCUMENT_H
#define CONTROL_YAML_DOCUMENT_H

#include <jansson.h>
#include <stdio.h>

#include "base/err.h"
#include "control/yaml/load.h"

/* Refuses unknown keys, and ports whose bridge the document does not have. */
int document_read(const struct yaml_doc *doc, json_t **out, struct err *err);

/* Writes what document_read() reads to the same. */
void document_write(FILE *f, const json_t *document);

#endif
