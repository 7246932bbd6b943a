// SPDX-License-Identifier: MIT
/*
 * Owns the fault handler of a test's process: touching a mapping tells whether
 * it is there instead of ending the test. Every thread has its own way out.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "util.h"

static __thread sigjmp_buf escape;
static __thread bool armed;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (armed)
		siglongjmp(escape, sig);
	fail(__FILE__, __LINE__, "unexpected %s at %p", sig == SIGBUS ? "SIGBUS" : "SIGSEGV",
	     info->si_addr);
}

/* The handler runs in this thread: the compiler alone must keep the order. */
static void arm_escape(void)
{
	armed = true;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void disarm_escape(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	armed = false;
}

/**
 * catch_faults() - let touch_load() and touch_store() survive faults
 */
void catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/**
 * touch_load() - read through a mapping
 * @p: where, aligned to @width
 * @width: 1, 2, 4 or 8 bytes
 * @value: takes the value
 *
 * Return: 0, or the signal that it raised.
 */
int touch_load(const void *p, unsigned int width, __u64 *value)
{
	int sig;

	sig = sigsetjmp(escape, 1);
	if (!sig) {
		arm_escape();
		if (width == 1)
			*value = __atomic_load_n((const __u8 *)p, __ATOMIC_SEQ_CST);
		else if (width == 2)
			*value = __atomic_load_n((const __u16 *)p, __ATOMIC_SEQ_CST);
		else if (width == 4)
			*value = __atomic_load_n((const __u32 *)p, __ATOMIC_SEQ_CST);
		else
			*value = __atomic_load_n((const __u64 *)p, __ATOMIC_SEQ_CST);
	}
	disarm_escape();
	return sig;
}

/**
 * touch_store() - write through a mapping
 * @p: where, aligned to @width
 * @width: 1, 2, 4 or 8 bytes
 * @value: the value
 *
 * Return: 0, or the signal that it raised.
 */
int touch_store(void *p, unsigned int width, __u64 value)
{
	int sig;

	sig = sigsetjmp(escape, 1);
	if (!sig) {
		arm_escape();
		if (width == 1)
			__atomic_store_n((__u8 *)p, value, __ATOMIC_RELEASE);
		else if (width == 2)
			__atomic_store_n((__u16 *)p, value, __ATOMIC_RELEASE);
		else if (width == 4)
			__atomic_store_n((__u32 *)p, value, __ATOMIC_RELEASE);
		else
			__atomic_store_n((__u64 *)p, value, __ATOMIC_RELEASE);
		/* write-combining: let it reach the device before anybody looks */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	disarm_escape();
	return sig;
}

/* load32() and store32() are for mappings that must be there. */
__u32 load32(const void *p)
{
	__u64 value = 0;
	int sig;

	sig = touch_load(p, 4, &value);
	OK(!sig, "reading a mapping at %p raised signal %d", p, sig);
	return value;
}

void store32(void *p, __u32 value)
{
	int sig;

	sig = touch_store(p, 4, value);
	OK(!sig, "writing a mapping at %p raised signal %d", p, sig);
}

/**
 * faults() - whether a mapping is gone
 * @p: where to read it
 *
 * Return: true for SIGBUS, which is what a mapping without a device gives.
 */
bool faults(const void *p)
{
	__u64 value;
	int sig;

	sig = touch_load(p, 4, &value);
	OK(!sig || sig == SIGBUS, "reading a mapping at %p raised signal %d", p, sig);
	return sig == SIGBUS;
}

void *map_region(struct fixture *f, unsigned int region, __u64 pos, size_t size, int prot)
{
	struct vgpu_error err;
	void *ptr;

	DID(vgpu_region_mmap(f->dev, &f->region[region], pos, size, prot, &ptr, &err), &err);
	return ptr;
}

/**
 * try_map() - map part of a region in any way
 * @f: the fixture
 * @region: its index
 * @pos: where, in bytes from the region's start
 * @size: bytes
 * @prot: PROT_*
 * @flags: MAP_*
 * @ptr: takes the mapping
 *
 * Return: 0 or a negative errno.
 */
int try_map(struct fixture *f, unsigned int region, __u64 pos, size_t size, int prot, int flags,
	    void **ptr)
{
	void *map;

	map = mmap(NULL, size, prot, flags, vgpu_fd(f->dev), f->region[region].offset + pos);
	if (map == MAP_FAILED)
		return -errno;
	*ptr = map;
	return 0;
}
