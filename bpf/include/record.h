/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every record begins with. These structures are the one place where the layout is written: user space gets offsets and sizes
 * generated from the BTF of the objects, and compares them again when it loads them.
 * All members are aligned to their size and padding is explicit, so that the layout is the same on every architecture.
 */
#ifndef TAPIO_RECORD_H
#define TAPIO_RECORD_H

#include "vmlinux-min.h"

/* Kinds of record. A number is never used again for something else. */
enum tapio_type {
	TAPIO_GAP = 0, /* written by the agent, never by a program */
	TAPIO_EXEC = 1,
	TAPIO_EXIT = 2,
	TAPIO_FORK = 3,
	TAPIO_TYPES_MAX = 16,
};

/* Namespaces of a process, in the order of tapio_task.namespaces. */
enum tapio_namespace {
	TAPIO_NAMESPACE_PID = 0,
	TAPIO_NAMESPACE_MNT = 1,
	TAPIO_NAMESPACE_NET = 2,
	TAPIO_NAMESPACE_USER = 3,
	TAPIO_NAMESPACE_UTS = 4,
	TAPIO_NAMESPACE_IPC = 5,
	TAPIO_NAMESPACE_CGROUP = 6,
	TAPIO_NAMESPACES = 7,
};

/* Which cgroup identifies a process. Found out once by user space. */
enum tapio_cgroup_mode {
	TAPIO_CGROUP_UNIFIED = 0,
	TAPIO_CGROUP_MEMORY = 1,
	TAPIO_CGROUP_PIDS = 2,
};

struct tapio_record {
	u64 boottime; /* CLOCK_BOOTTIME in ns */
	/* CLOCK_REALTIME minus CLOCK_BOOTTIME, filled in by the agent when it takes the record over. */
	u32 offset_seconds;
	u32 offset_nanoseconds;
	enum tapio_type type;
	u32 reserved;
};

/* Who it is about. A process is known by its tgid and start; an image of it by exec_id as well. */
struct tapio_task {
	u64 start; /* CLOCK_BOOTTIME in ns */
	u64 exec_id; /* counted up by each exec */
	u64 parent_start;
	char comm[16];
	/* From here to cgroup_mode the processes of one container and user are alike: a reader may treat it as one. */
	u64 cgroup;
	u32 uid;
	u32 euid;
	u32 gid;
	u32 egid;
	u32 login_uid; /* 4294967295 where nobody logged in */
	u32 namespaces[TAPIO_NAMESPACES];
	enum tapio_cgroup_mode cgroup_mode;
	u32 pid; /* the process, as user space counts: the kernel's tgid */
	u32 namespace_pid; /* the same inside its own pid namespace */
	u32 parent_pid;
};

#endif
