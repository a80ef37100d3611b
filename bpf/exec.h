/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TAPIO_EXEC_H
#define TAPIO_EXEC_H

#include "include/record.h"

/* Bytes kept of each text, the closing NUL of file name and interpreter counted. Powers of two, so that a mask bounds a length. */
enum tapio_exec_limit {
	TAPIO_FILENAME_BYTES = 256,
	TAPIO_INTERPRETER_BYTES = 128,
	TAPIO_ARGUMENTS_BYTES = 512,
};

enum tapio_exec_flag {
	TAPIO_EXEC_FILENAME_CUT = 1,
	TAPIO_EXEC_INTERPRETER_CUT = 2,
	TAPIO_EXEC_ARGUMENTS_CUT = 4,
	/* The memory of the arguments could not be read: it is not resident, or the kernel refused. */
	TAPIO_EXEC_ARGUMENTS_UNREADABLE = 8,
};

/* Followed by file name, interpreter (0 bytes where it is the file itself) and arguments (each ends with a NUL, but one that was cut). */
struct tapio_exec {
	struct tapio_record record;
	struct tapio_task task;
	u64 arguments_total; /* bytes of all arguments, kept or not */
	u32 argument_count;
	u16 filename_bytes; /* kept, without the NUL */
	u16 interpreter_bytes;
	u16 arguments_bytes;
	u16 flags; /* enum tapio_exec_flag */
	u32 reserved;
};

#endif
