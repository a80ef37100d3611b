/* Processes with unusual arguments and ends, one per name: process-fates NAME. The tests of the kernel collector look at what became of them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char program[] = "/bin/true";

static int finish(pid_t child)
{
	int status;

	printf("%d\n", child);
	return waitpid(child, &status, 0) < 0;
}

static int execute(char **arguments)
{
	pid_t child = fork();

	if (child == 0) {
		execv(program, arguments);
		_exit(127);
	}
	return finish(child);
}

static int invalid(void)
{
	char *arguments[] = { "/bin/true", "a\xff" "b", "\xc3", "\xed\xa0\x80", "gr\xc3\xbc\xc3\x9f", "\x1b[31m\a\n\t\x7f", NULL };

	return execute(arguments);
}

static int empties(void)
{
	char *arguments[401];

	for (int index = 0; index < 400; index++)
		arguments[index] = index == 0 ? "/bin/true" : "";
	arguments[400] = NULL;
	return execute(arguments);
}

static int huge(void)
{
	char *long_one = malloc(100001);

	memset(long_one, 'x', 100000);
	long_one[100000] = 0;
	char *arguments[] = { "/bin/true", long_one, long_one, NULL };
	return execute(arguments);
}

static int none(void)
{
	char *arguments[] = { NULL };

	return execute(arguments);
}

static int only_fork(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(7);
	return finish(child);
}

static void *outlive(void *unused)
{
	prctl(PR_SET_NAME, "other thread");
	usleep(20000);
	_exit(5);
	return unused;
}

/* The first thread ends early, the other one decides how the process ends. */
static int leader_first(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, outlive, NULL);
		pthread_exit(NULL);
	}
	return finish(child);
}

static int dump(void)
{
	pid_t child = fork();

	if (child == 0) {
		struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

		setrlimit(RLIMIT_CORE, &limit);
		abort();
	}
	return finish(child);
}

static int killed(void)
{
	pid_t child = fork();

	if (child == 0) {
		kill(getpid(), SIGTERM);
		pause();
	}
	return finish(child);
}

/* In new namespaces, where it is process 1, it executes. */
static int namespaces(void)
{
	pid_t child = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);

	if (child == 0) {
		execl(program, program, "inside", (char *)NULL);
		_exit(127);
	}
	return finish(child);
}

/* Lives until its input ends. */
static int waits(void)
{
	char byte;

	printf("%d\n", getpid());
	fflush(stdout);
	return read(0, &byte, 1) != 0;
}

int main(int count, char **values)
{
	const char *name = count > 1 ? values[1] : "";

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!strcmp(name, "invalid"))
		return invalid();
	if (!strcmp(name, "empties"))
		return empties();
	if (!strcmp(name, "huge"))
		return huge();
	if (!strcmp(name, "none"))
		return none();
	if (!strcmp(name, "only-fork"))
		return only_fork();
	if (!strcmp(name, "leader-first"))
		return leader_first();
	if (!strcmp(name, "dump"))
		return dump();
	if (!strcmp(name, "killed"))
		return killed();
	if (!strcmp(name, "namespaces"))
		return namespaces();
	if (!strcmp(name, "waits"))
		return waits();
	return 2;
}
