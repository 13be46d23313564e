/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Methods of a VM's supervisor, on RUN_DIR/vm/<id>.sock.
 *
 * Threads  constant.
 */
#ifndef VM_LAUNCHER_VM_METHODS_H
#define VM_LAUNCHER_VM_METHODS_H

#include "control/rpc/method.h"

extern const struct method m_vm_status, m_vm_wait, m_vm_stop, m_vm_kill, m_vm_reset, m_vm_pause,
	m_vm_resume, m_vm_exec, m_vm_console, m_vm_log, m_vm_link;

#define VM_STOP_WITHIN_S 30
#define VM_EXEC_WITHIN_S 3600
#define VM_EXEC_INPUT_MAX (800 * 1024) /* bytes of base64; a request may have 1 MiB */

#endif
