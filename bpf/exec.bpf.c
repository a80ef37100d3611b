// SPDX-License-Identifier: GPL-2.0
/* A process replaced its image. The new memory is in place, so that the arguments are the real ones, whatever the process does next. */
#include "include/program.h"
#include "exec.h"

struct scratch {
	struct tapio_exec exec;
	/* Rooms for the texts, and one more for a write that the verifier believes possible. */
	char text[TAPIO_FILENAME_BYTES + TAPIO_INTERPRETER_BYTES + 2 * TAPIO_ARGUMENTS_BYTES];
};

/* Constants in the types, so that they are part of the BTF. */
enum tapio_exec_limit *limits_unused __attribute__((unused));
enum tapio_exec_flag *flags_unused __attribute__((unused));
enum tapio_namespace *namespaces_unused __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* The compiler may not see through a bounded length, or it drops the bound that the verifier needs. */
#define BOUND(value, mask) asm volatile("%0 &= %1" : "+r"(value) : "i"(mask))

/*
 * The kernel has copied the name to the new stack (the process finds it as AT_EXECFN). Reading it there needs no access to kernel memory.
 */
static __always_inline u64 read_filename(struct scratch *out, struct linux_binprm *bprm)
{
	const char *name = (const char *)bprm->exec;
	char last = 0;
	long kept = bpf_probe_read_user_str(out->text, TAPIO_FILENAME_BYTES, name);
	u64 length;

	if (kept <= 0)
		return 0;
	length = kept - 1;
	BOUND(length, TAPIO_FILENAME_BYTES - 1);
	out->exec.filename_bytes = length;
	if (length == TAPIO_FILENAME_BYTES - 1 && !bpf_probe_read_user(&last, 1, name + length) && last)
		out->exec.flags |= TAPIO_EXEC_FILENAME_CUT;
	return length;
}

/* The interpreter differs for scripts and for what binfmt_misc handles; the kernel keeps its name only in its own memory. */
static __always_inline u64 read_interpreter(struct scratch *out, struct linux_binprm *bprm, u64 at)
{
	const char *name = bprm->interp;
	char last = 0;
	long kept;
	u64 length;

	if (!config.kernel_reads || name == bprm->filename)
		return 0;
	kept = bpf_probe_read_kernel_str(out->text + at, TAPIO_INTERPRETER_BYTES, name);
	if (kept <= 0)
		return 0;
	length = kept - 1;
	BOUND(length, TAPIO_INTERPRETER_BYTES - 1);
	out->exec.interpreter_bytes = length;
	if (length == TAPIO_INTERPRETER_BYTES - 1 && !bpf_probe_read_kernel(&last, 1, name + length) && last)
		out->exec.flags |= TAPIO_EXEC_INTERPRETER_CUT;
	return length;
}

static __always_inline u64 read_arguments(struct scratch *out, struct task_struct *task, u64 at)
{
	u64 start = task->mm->arg_start;
	u64 total = task->mm->arg_end - start;
	u64 length = total;

	out->exec.arguments_total = total;
	if (length > TAPIO_ARGUMENTS_BYTES) {
		length = TAPIO_ARGUMENTS_BYTES;
		out->exec.flags |= TAPIO_EXEC_ARGUMENTS_CUT;
	}
	BOUND(length, 2 * TAPIO_ARGUMENTS_BYTES - 1);
	if (bpf_probe_read_user(out->text + at, length, (const void *)start)) {
		out->exec.flags |= TAPIO_EXEC_ARGUMENTS_UNREADABLE;
		return 0;
	}
	out->exec.arguments_bytes = length;
	return length;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	u32 zero = 0;
	struct scratch *out = bpf_map_lookup_elem(&scratch, &zero);
	u64 used;

	if (!out)
		return 0;
	out->exec.record.boottime = bpf_ktime_get_boot_ns();
	out->exec.argument_count = bprm->argc;
	out->exec.filename_bytes = 0;
	out->exec.interpreter_bytes = 0;
	out->exec.arguments_bytes = 0;
	out->exec.flags = 0;
	describe(&out->exec.task, task);
	bpf_get_current_comm(out->exec.task.comm, sizeof(out->exec.task.comm));
	used = read_filename(out, bprm);
	used += read_interpreter(out, bprm, used);
	BOUND(used, TAPIO_FILENAME_BYTES + TAPIO_INTERPRETER_BYTES + 127);
	used += read_arguments(out, task, used);
	BOUND(used, 1023);
	emit(&lifecycle, TAPIO_EXEC, &out->exec.record, sizeof(out->exec) + used);
	return 0;
}
