// SPDX-License-Identifier: MIT
/*
 * Owns a test's process and its verdict: starts it, watches it, and turns what
 * it left behind into a line of TAP.
 */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "util.h"

#define EXIT_SKIP 77

/* Shared with the test's process, so that whatever kills it leaves the reason. */
static char *reason;
#define REASON_SIZE 1024

/**
 * diag() - print a TAP diagnostic
 * @fmt: one line, without a newline
 */
void diag(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	printf("# %s\n", line);
	fflush(stdout);
}

/**
 * skip() - end the test: it does not apply
 * @fmt: why
 */
void skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, REASON_SIZE, fmt, ap);
	va_end(ap);
	_exit(EXIT_SKIP);
}

/**
 * fail() - end the test: it failed
 * @file: where the check is
 * @line: its line
 * @fmt: what was wrong
 */
void fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char text[REASON_SIZE];
	int used;
	va_list ap;

	used = snprintf(text, sizeof(text), "%s:%d: ", base ? base + 1 : file, line);
	va_start(ap, fmt);
	vsnprintf(text + used, sizeof(text) - used, fmt, ap);
	va_end(ap);
	if (!reason) {
		fprintf(stderr, "%s\n", text);
		_exit(EXIT_FAILURE);
	}
	/* where a test has several processes, what failed first is the cause */
	if (!reason[0])
		strcpy(reason, text);
	_exit(EXIT_FAILURE);
}

void check_eq(const char *file, int line, const char *what, long long got, long long want)
{
	if (got != want)
		fail(file, line, "%s is %lld, expected %lld", what, got, want);
}

void check_hex(const char *file, int line, const char *what, __u64 got, __u64 want)
{
	if (got != want)
		fail(file, line, "%s is 0x%llx, expected 0x%llx", what, got, want);
}

/**
 * check_errno() - check that a call failed with one of some errnos
 * @file: where the check is
 * @line: its line
 * @what: the call
 * @got: what it returned: a negative errno on failure
 * @want: the errnos, positive, up to a 0
 */
void check_errno(const char *file, int line, const char *what, long long got, const int *want)
{
	if (got >= 0)
		fail(file, line, "%s is %lld, expected -%s", what, got, strerrorname_np(want[0]));
	for (; *want; want++)
		if (got == -*want)
			return;
	fail(file, line, "%s failed with an unexpected errno: %s", what, strerror(-got));
}

static void fixture_run(const struct env *env, const struct test *test, enum role role)
{
	struct fixture f = { .env = env };

	catch_faults();
	if (role != ON_NONE)
		fixture_open(&f, env, role);
	test->run(&f);
	if (role != ON_NONE)
		fixture_close(&f);
	fflush(stdout);
	_exit(EXIT_SUCCESS);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static bool wait_child(pid_t pid, double seconds, int *status)
{
	double end = now() + seconds;

	while (waitpid(pid, status, WNOHANG) == 0) {
		if (now() > end)
			return false;
		usleep(2000);
	}
	return true;
}

/* A hang is worth more with the kernel stacks of whoever hangs. */
static void show_stacks(pid_t pid)
{
	char command[160];

	snprintf(command, sizeof(command),
		 "for t in /proc/%d/task/*; do echo \"# $(cat $t/comm $t/wchan | tr '\\n' ' ')\"; "
		 "sed 's/^/#   /' $t/stack; done", pid);
	fflush(stdout);
	if (system(command))
		diag("no stacks of %d", pid);
}

/* Returns false when the process cannot be killed: nothing after it makes sense. */
static bool run_one(const struct env *env, const struct test *test, enum role role,
		    unsigned int nr, const char *name, bool *passed)
{
	double start = now();
	int status = 0;
	bool hung;
	pid_t pid;

	reason[0] = '\0';
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("Bail out! fork: %s\n", strerror(errno));
		return false;
	}
	if (!pid) {
		setpgid(0, 0);
		fixture_run(env, test, role);
	}
	setpgid(pid, pid);

	hung = !wait_child(pid, env->timeout, &status);
	if (hung) {
		show_stacks(pid);
		kill(-pid, SIGKILL);
		if (!wait_child(pid, 30, &status)) {
			printf("not ok %u - %s\n", nr, name);
			printf("Bail out! %s hangs and cannot be killed\n", name);
			return false;
		}
		snprintf(reason, REASON_SIZE, "still running after %u s", env->timeout);
	} else {
		/* whatever the test started and did not end may still hold the vGPU */
		if (!kill(-pid, SIGKILL))
			usleep(200000);
	}
	if (WIFSIGNALED(status) && !reason[0])
		snprintf(reason, REASON_SIZE, "killed by %s", strsignal(WTERMSIG(status)));

	*passed = !hung && WIFEXITED(status) &&
		  (!WEXITSTATUS(status) || WEXITSTATUS(status) == EXIT_SKIP);
	printf("%s %u - %s", *passed ? "ok" : "not ok", nr, name);
	if (*passed && WEXITSTATUS(status) == EXIT_SKIP)
		printf(" # SKIP %s", reason);
	printf("\n");
	if (!*passed)
		diag("%s (after %.1f s)", reason[0] ? reason : "exited without a reason",
		     now() - start);
	fflush(stdout);
	return true;
}

/* One test as it is run: a test ON_BOTH makes two. */
struct item {
	const struct test *test;
	enum role role;
	char name[160];
};

static void collect(struct item **items, unsigned int *nr, const struct group *group,
		    const struct test *test, enum role role, const char *pattern)
{
	static const char *const suffix[] = {
		[ON_NONE] = "", [ON_BOCHS] = " [bochs]", [ON_TEST] = " [test]",
	};
	struct item item = { .test = test, .role = role };

	snprintf(item.name, sizeof(item.name), "%s: %s%s", group->name, test->name, suffix[role]);
	if (pattern && !strstr(item.name, pattern) && fnmatch(pattern, item.name, 0))
		return;
	*items = realloc(*items, (*nr + 1) * sizeof(**items));
	if (!*items)
		abort();
	(*items)[(*nr)++] = item;
}

/**
 * run_tests() - run tests and print TAP
 * @env: the command line
 * @groups: the groups, up to a NULL
 * @pattern: a part of a test's name or a glob; NULL for all
 * @list: only print the names
 *
 * Return: 0 when every test passed or was skipped, 1 otherwise, 2 when no test
 * has such a name.
 */
int run_tests(const struct env *env, const struct group *const *groups, const char *pattern,
	      bool list)
{
	struct item *items = NULL;
	unsigned int nr = 0, failed = 0, i;
	const struct test *test;
	bool passed;

	for (; *groups; groups++) {
		for (test = (*groups)->tests; test < (*groups)->tests + (*groups)->nr; test++) {
			if (test->role != ON_BOTH) {
				collect(&items, &nr, *groups, test, test->role, pattern);
				continue;
			}
			collect(&items, &nr, *groups, test, ON_BOCHS, pattern);
			collect(&items, &nr, *groups, test, ON_TEST, pattern);
		}
	}

	if (list) {
		for (i = 0; i < nr; i++)
			puts(items[i].name);
		free(items);
		return nr ? 0 : 2;
	}

	reason = mmap(NULL, REASON_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reason == MAP_FAILED)
		abort();
	printf("1..%u\n", nr);
	for (i = 0; i < nr; i++) {
		if (!run_one(env, items[i].test, items[i].role, i + 1, items[i].name, &passed)) {
			failed++;
			break;
		}
		failed += !passed;
	}
	if (failed)
		diag("%u of %u failed", failed, nr);
	free(items);
	munmap(reason, REASON_SIZE);
	if (!nr)
		return 2;
	return failed ? 1 : 0;
}
