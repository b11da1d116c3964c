// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linked with a core that counts what is executed (tests/covered.py), by --wrap=_exit and --wrap=kill: gcov writes its
 * counts at the end of a process, to which those that leave by _exit() or are killed do not come.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_MS 500 /* that a process may take to write */

void __gcov_dump(void);
int __real_kill(pid_t pid, int sent);
int __wrap_kill(pid_t pid, int sent);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
	__gcov_dump();
	_Exit(status);
}

static void leave(int received)
{
	(void)received;
	__wrap__exit(0);
}

__attribute__((constructor)) static void await_end(void)
{
	signal(SIGUSR2, leave);
}

/* Who is to be killed is asked to leave first, for a while: it may be where no signal but the last one reaches it. */
int __wrap_kill(pid_t pid, int sent)
{
	siginfo_t end = { .si_pid = 0 };

	if (sent == SIGKILL && !__real_kill(pid, SIGUSR2))
		for (int ms = 0; ms < MOST_MS && !end.si_pid; ms++)
			if (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) || end.si_pid || usleep(1000))
				break;
	return __real_kill(pid, sent);
}
