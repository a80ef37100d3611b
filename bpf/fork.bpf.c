// SPDX-License-Identifier: GPL-2.0
/* A process was made. Threads are not reported. */
#include "include/program.h"
#include "fork.h"

struct scratch {
	struct tapio_fork fork;
	struct tapio_task creator;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 zero = 0, changed = 0;
	struct scratch *out;

	if (child->pid != child->tgid)
		return 0;
	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out)
		return 0;
	out->fork.record.boottime = bpf_ktime_get_boot_ns();
	describe(&out->fork.task, child);
	/* The child has its parent's name until it executes something. */
	bpf_get_current_comm(out->fork.task.comm, sizeof(out->fork.task.comm));
	out->fork.creator_pid = parent->tgid;
	out->fork.creator_start = parent->group_leader->start_boottime;
	describe(&out->creator, parent);
#pragma unroll
	for (int kind = 0; kind < TAPIO_NAMESPACES; kind++) {
		if (out->fork.task.namespaces[kind] != out->creator.namespaces[kind])
			changed |= 1 << kind;
	}
	out->fork.new_namespaces = changed;
	emit(&lifecycle, TAPIO_FORK, &out->fork.record, sizeof(out->fork));
	return 0;
}
