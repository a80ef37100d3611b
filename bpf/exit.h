/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TAPIO_EXIT_H
#define TAPIO_EXIT_H

#include "include/record.h"

struct tapio_exit {
	struct tapio_record record;
	struct tapio_task task;
	u64 cpu_nanoseconds; /* of all threads, as the scheduler last accounted */
	u64 major_faults;
	u64 max_rss_bytes;
	u32 status; /* as wait(2) returns it: exit code << 8, or signal | 0x80 with a core dump */
	u32 reserved;
};

#endif
