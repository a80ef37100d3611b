/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TAPIO_FORK_H
#define TAPIO_FORK_H

#include "include/record.h"

struct tapio_fork {
	struct tapio_record record;
	struct tapio_task task; /* the child */
	u64 creator_start;
	u32 creator_pid; /* who called fork; not the parent where CLONE_PARENT was asked for */
	u32 new_namespaces; /* bits 1 << enum tapio_namespace: not those of the creator */
};

#endif
