/* SPDX-License-Identifier: MIT */
/*
 * shim.h - what a test may ask of the shim, and what the shim is
 *
 * The portable sources of kernel/ (those that say so in their first comment) compile
 * unchanged in userspace against the headers in this folder: put it before the
 * system's include path, link shim.c, done. The shipped source itself is what runs
 * under the sanitizers, the property tests and the fuzzers.
 *
 * The shim offers the part of the kernel's API that those sources use and keeps the
 * rules that go with it, so that breaking a rule shows:
 *
 * - mutex and spinlock_t know their owner. Taking a lock twice, releasing somebody
 *   else's, lockdep_assert_held() without the lock, and sleeping (mutex_lock(),
 *   GFP_KERNEL, the virqfd calls) under a spinlock end the program.
 * - kmalloc() and friends count what is alive and fail on request.
 * - eventfds live in a table of small integers. A context counts its references;
 *   using one after the last put ends the program. As in the kernel, signalling one
 *   eventfd from another's wake-up is refused with a warning.
 * - vfio_virqfd_enable() calls its handler under the eventfd's wait-queue lock and
 *   defers its thread to a work queue, which runs when the test says so.
 *
 * The constants of PCI, VFIO and errno are the system's own uapi headers.
 */
#ifndef SHIM_H
#define SHIM_H

#include <linux/types.h>

/* A broken rule: say which, and end the program with SIGABRT */
void shim_bug(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* What the kernel would have warned of since the last call */
unsigned int shim_warnings(void);

/* Whether a message to the kernel log said @part since the last call */
bool shim_said(const char *part);

/* The @nth allocation from now fails, 1 being the next; 0 for none */
void shim_fail_alloc(unsigned int nth);

/* @hook runs in the @nth allocation from now, once */
void shim_hook_alloc(unsigned int nth, void (*hook)(void));
long shim_allocs_alive(void);
unsigned long shim_allocs_made(void);

/* The file table. A file keeps its context alive until it is closed. */
int shim_eventfd(void);
int shim_other_file(void);
void shim_close(int fd);
void shim_close_all(void);

/* write(2) on an eventfd */
void shim_eventfd_write(int fd);

/* Times the kernel side signalled it, ever */
u64 shim_eventfd_signals(int fd);

/* References that the code under test holds, on one context or on all */
int shim_eventfd_refs(int fd);
int shim_eventfd_all_refs(void);

/* Run the deferred work, and what that defers, up to @limit items. Returns how many ran. */
unsigned int shim_run_work(unsigned int limit);

#endif /* SHIM_H */
