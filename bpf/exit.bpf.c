// SPDX-License-Identifier: GPL-2.0
/* A process ended. */
#include "include/program.h"
#include "exit.h"

/* include/linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 4

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct tapio_exit);
} scratch SEC(".maps");

static __always_inline int process_end(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct signal_struct *signal = task->signal;
	u32 zero = 0;
	struct tapio_exit *out = bpf_map_lookup_elem(&scratch, &zero);

	if (!out)
		return 0;
	out->record.boottime = bpf_ktime_get_boot_ns();
	describe(&out->task, task);
	/* The name of the process is that of its first thread; the one that ends it may be called anything. */
	__builtin_memcpy(out->task.comm, leader->comm, sizeof(out->task.comm));
	/* What wait(2) will say: the group's code where one was set, else the leader's. */
	out->status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
	/* The signal's sums hold the threads that are gone; a leader that waits for the last thread is not among them. */
	out->cpu_nanoseconds = signal->sum_sched_runtime + task->se.sum_exec_runtime;
	out->major_faults = signal->maj_flt + task->maj_flt;
	if (leader != task) {
		out->cpu_nanoseconds += leader->se.sum_exec_runtime;
		out->major_faults += leader->maj_flt;
	}
	out->max_rss_bytes = (u64)signal->maxrss * config.page_bytes;
	emit(&lifecycle, TAPIO_EXIT, &out->record, sizeof(*out));
	return 0;
}

/* Since 6.16 the tracepoint says whether this was the last thread. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(process_exit_group, struct task_struct *task, bool group_dead)
{
	return group_dead ? process_end(task) : 0;
}

/* Before, the end of the leader stands for the end of the process. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(process_exit_leader, struct task_struct *task)
{
	return task->pid == task->tgid ? process_end(task) : 0;
}
