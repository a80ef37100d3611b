/* SPDX-License-Identifier: GPL-2.0 */
/* What every program shares: the maps that user space gives to all objects, the configuration, the way out, and who a task is. */
#ifndef TAPIO_PROGRAM_H
#define TAPIO_PROGRAM_H

#include "record.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* Set by user space before loading, constant afterwards: the verifier removes what it switches off. */
struct tapio_config {
	u64 wake_bytes; /* fill of the ring that wakes the reader */
	u32 page_bytes;
	enum tapio_cgroup_mode cgroup_mode;
	u32 kernel_reads; /* 0 where lockdown forbids reading kernel memory by address */
	u32 reserved;
};

const volatile struct tapio_config config;

/* The ring for events of processes. Its size comes from user space, which makes one and gives it to every object. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} lifecycle SEC(".maps");

/* Records that found no room, by enum tapio_type. A BPF ring does not count them itself. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TAPIO_TYPES_MAX);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

/* The consumer's position, plus one, at which the reader of the lifecycle ring was last woken. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} woken SEC(".maps");

/*
 * A wake-up costs fifty times what a record costs, so none happens while the reader's timer keeps up. Above the mark one is sent for each position
 * of the reader: however many records follow, a reader that has not moved since is not woken again.
 */
static __always_inline u64 wake_flags(void *ring)
{
	u32 zero = 0;
	u64 position, *last;

	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < config.wake_bytes)
		return BPF_RB_NO_WAKEUP;
	position = bpf_ringbuf_query(ring, BPF_RB_CONS_POS) + 1;
	last = bpf_map_lookup_elem(&woken, &zero);
	if (!last || *last == position)
		return BPF_RB_NO_WAKEUP;
	*last = position;
	return BPF_RB_FORCE_WAKEUP;
}

/* Puts a record into the ring, or counts it as lost. */
static __always_inline void emit(void *ring, enum tapio_type type, struct tapio_record *record, u64 size)
{
	u32 key = type;
	u64 *count;

	record->type = type;
	if (!bpf_ringbuf_output(ring, record, size, wake_flags(ring)))
		return;
	count = bpf_map_lookup_elem(&lost, &key);
	if (count)
		(*count)++;
}

static __always_inline u64 cgroup_of(struct task_struct *task)
{
	struct css_set *set = task->cgroups;

	if (config.cgroup_mode == TAPIO_CGROUP_MEMORY)
		return set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]->cgroup->kn->id;
	if (config.cgroup_mode == TAPIO_CGROUP_PIDS)
		return set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id)]->cgroup->kn->id;
	return set->dfl_cgrp->kn->id;
}

/*
 * The task's own pid namespace is that of the deepest number it has; nsproxy knows only the one its children get, which differs after an unshare.
 * An element behind the first has no constant offset, so it is read by address.
 */
static __always_inline void pid_in_namespace(struct tapio_task *out, struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	u32 level = pid->level;
	struct upid number = {};

	out->namespaces[TAPIO_NAMESPACE_PID] = pid->numbers[0].ns->ns.inum;
	out->namespace_pid = pid->numbers[0].nr;
	if (level == 0)
		return;
	out->namespaces[TAPIO_NAMESPACE_PID] = task->nsproxy->pid_ns_for_children->ns.inum;
	out->namespace_pid = 0;
	if (!config.kernel_reads)
		return;
	{
		/* Copied with the type of the running kernel: nr and ns are found at their relocated offsets. */
		void *numbers = (void *)pid + bpf_core_field_offset(struct pid, numbers);
		void *at = numbers + level * bpf_core_type_size(struct upid);
		struct pid_namespace *ns = NULL;

		bpf_probe_read_kernel(&number.nr, sizeof(number.nr), at + bpf_core_field_offset(struct upid, nr));
		bpf_probe_read_kernel(&ns, sizeof(ns), at + bpf_core_field_offset(struct upid, ns));
		if (!ns)
			return;
		out->namespace_pid = number.nr;
		bpf_probe_read_kernel(&out->namespaces[TAPIO_NAMESPACE_PID], sizeof(u32),
				      (void *)ns + bpf_core_field_offset(struct pid_namespace, ns) + bpf_core_field_offset(struct ns_common, inum));
	}
}

/* Describes the process of `task`, which is its leader where it still has one. */
static __always_inline void describe(struct tapio_task *out, struct task_struct *task)
{
	struct task_struct *parent = task->real_parent;
	const struct cred *cred = task->cred;
	struct nsproxy *namespaces = task->nsproxy;

	out->start = task->group_leader->start_boottime;
	out->exec_id = task->self_exec_id;
	out->parent_start = parent->group_leader->start_boottime;
	out->cgroup = cgroup_of(task);
	out->cgroup_mode = config.cgroup_mode;
	out->pid = task->tgid;
	out->parent_pid = parent->tgid;
	out->uid = cred->uid.val;
	out->euid = cred->euid.val;
	out->gid = cred->gid.val;
	out->egid = cred->egid.val;
	out->login_uid = bpf_core_field_exists(task->loginuid) ? task->loginuid.val : (u32)-1;
	out->namespaces[TAPIO_NAMESPACE_USER] = cred->user_ns->ns.inum;
	out->namespaces[TAPIO_NAMESPACE_MNT] = namespaces->mnt_ns->ns.inum;
	out->namespaces[TAPIO_NAMESPACE_NET] = namespaces->net_ns->ns.inum;
	out->namespaces[TAPIO_NAMESPACE_UTS] = namespaces->uts_ns->ns.inum;
	out->namespaces[TAPIO_NAMESPACE_IPC] = namespaces->ipc_ns->ns.inum;
	out->namespaces[TAPIO_NAMESPACE_CGROUP] = namespaces->cgroup_ns->ns.inum;
	pid_in_namespace(out, task);
}

char LICENSE[] SEC("license") = "GPL";

#endif
