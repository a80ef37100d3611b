/*
 * Executes /bin/true as often and as fast as it can: exec-storm COUNT PROCESSES MARKER. Every execution has an argument of its own, MARKER-<number>.
 * Prints the CPU time of everything it started, and its own, in nanoseconds.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void storm(int first, int count, const char *marker)
{
	char argument[64];

	for (int number = first; number < first + count; number++) {
		snprintf(argument, sizeof(argument), "%s-%d", marker, number);
		pid_t child = vfork();
		if (child == 0) {
			execl("/bin/true", "/bin/true", argument, (char *)NULL);
			_exit(127);
		}
		if (child < 0) {
			perror("vfork");
			exit(1);
		}
		int status;
		waitpid(child, &status, 0);
		if (status != 0)
			exit(1);
	}
}

static long long nanoseconds(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

int main(int count, char **values)
{
	if (count != 4)
		return 2;
	int total = atoi(values[1]), processes = atoi(values[2]), failed = 0;
	int share = total / processes;
	for (int index = 0; index < processes; index++) {
		if (fork() == 0) {
			storm(index * share, index == processes - 1 ? total - index * share : share, values[3]);
			_exit(0);
		}
	}
	int status;
	while (wait(&status) > 0)
		failed |= status;
	printf("%lld\n", nanoseconds(RUSAGE_SELF) + nanoseconds(RUSAGE_CHILDREN));
	return failed ? 1 : 0;
}
