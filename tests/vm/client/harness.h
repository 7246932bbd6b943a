/* SPDX-License-Identifier: MIT */
/*
 * The TAP harness of vfio-test, dma-test and virtio-test: each test runs in a process of
 * its own, so that a SIGBUS, a hang or a file left open ends with the test that caused it.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "../../../userspace/lib/mvgpu-vfio.h"

#define MAX_REGIONS 16

/**
 * struct env - what the command line said
 * @uuid: every vGPU, for an action that is no test whatever it takes; for vfio-test, the first
 *	is the bochs one, the second the test one
 * @nr: how many
 * @arg: the argument of the option that asked for another action
 * @seconds: how long a stress test stresses
 * @timeout: seconds after which a test counts as hung
 * @iommufd: open vGPUs through iommufd and device files, not through the legacy container
 */
struct env {
	char **uuid;
	unsigned int nr;
	const char *arg;
	unsigned int seconds;
	unsigned int timeout;
	bool iommufd;
};

/* Which vGPU a test opens: on BOTH it is two tests, on NONE it opens its own. */
enum role { ON_NONE, ON_BOCHS, ON_TEST, ON_BOTH };

/**
 * struct fixture - an open vGPU, in its power-on state
 * @env: the command line
 * @role: ON_BOCHS or ON_TEST; ON_NONE leaves the rest unset
 * @uuid: the vGPU's UUID
 * @iommu: a container of its own
 * @dev: the device
 * @region: its regions by index
 * @nr_regions: how many
 */
struct fixture {
	const struct env *env;
	enum role role;
	const char *uuid;
	struct vgpu_iommu *iommu;
	struct vgpu_device *dev;
	struct vgpu_region region[MAX_REGIONS];
	unsigned int nr_regions;
};

/**
 * struct test - one test
 * @name: what it proves
 * @role: on which vGPU
 * @run: returns when it passed
 */
struct test {
	const char *name;
	enum role role;
	void (*run)(struct fixture *f);
};

/**
 * struct group - the tests of one concern
 * @name: the concern; begins each test's name
 * @tests: the tests
 * @nr: how many
 */
struct group {
	const char *name;
	const struct test *tests;
	size_t nr;
};

#define GROUP(_name, _tests) \
	{ .name = (_name), .tests = (_tests), .nr = sizeof(_tests) / sizeof((_tests)[0]) }

/**
 * struct action - what a client does
 * @option: the option that asks for it
 * @has_arg: whether that takes an argument
 * @nr: how many arguments must follow the options
 * @groups: which tests it runs, up to a NULL; or
 * @run: what it does instead; returns the exit status
 */
struct action {
	const char *option;
	bool has_arg;
	unsigned int nr;
	const struct group *const *groups;
	int (*run)(const struct env *env);
};

#define MAX_ACTIONS 12

/**
 * struct client - a program of tests
 * @usage: how it is called
 * @options: what its own options are
 * @seconds: what lasts as long as --seconds says
 * @timeout: the default of --timeout
 * @actions: what it does without an option, then its own options, up to one without
 */
struct client {
	const char *usage;
	const char *options;
	const char *seconds;
	unsigned int timeout;
	struct action actions[MAX_ACTIONS];
};

void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void check_eq(const char *file, int line, const char *what, long long got, long long want);
void check_hex(const char *file, int line, const char *what, __u64 got, __u64 want);
void check_errno(const char *file, int line, const char *what, long long got, const int *want);

/* Each of these ends the test, from any of its threads, when it does not hold. */
#define OK(cond, ...) \
	do { \
		if (!(cond)) \
			fail(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)
#define EQ(got, want) check_eq(__FILE__, __LINE__, #got, got, want)
#define HEX(got, want) check_hex(__FILE__, __LINE__, #got, got, want)
#define REFUSED(got, ...) \
	check_errno(__FILE__, __LINE__, #got, got, (const int[]){ __VA_ARGS__, 0 })
#define DID(call, err) OK((call) >= 0, "%s", (err)->text)

/* What a refused access, argument or ioctl may answer */
#define REFUSED_ACCESS(got) REFUSED(got, EINVAL, EFAULT, EIO, ENXIO, EOVERFLOW)

int run_tests(const struct env *env, const struct group *const *groups, const char *pattern,
	      bool list);
int run_client(const struct client *client, int argc, char **argv);

extern const struct group group_info;
extern const struct group group_config;
extern const struct group group_power;
extern const struct group group_regions;
extern const struct group group_mmap;
extern const struct group group_intx;
extern const struct group group_msi;
extern const struct group group_gfx;
extern const struct group group_lifecycle;
extern const struct group group_hostile;
extern const struct group group_stress;
int show_colour(const struct env *env);	/* test-gfx.c */

#endif
