// SPDX-License-Identifier: MIT
/*
 * shim.c - the shim's locks, allocator, eventfds and virqfds; see shim.h
 */
#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vfio.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shim.h"

#define load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define add(p, v)	__atomic_add_fetch(p, v, __ATOMIC_ACQ_REL)

/* What the kernel keeps in struct task_struct; its address identifies the thread */
static _Thread_local struct {
	unsigned long spinlocks;
	bool in_eventfd;
} current;

static unsigned int warnings;

void shim_bug(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("# shim: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

unsigned int shim_warnings(void)
{
	return __atomic_exchange_n(&warnings, 0, __ATOMIC_RELAXED);
}

/* Messages: as much as fits */

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;	/* @log_text */
static char log_text[4096];

void shim_say(const char *fmt, ...)
{
	size_t at;
	va_list ap;

	pthread_mutex_lock(&log_mutex);
	at = strlen(log_text);
	va_start(ap, fmt);
	vsnprintf(log_text + at, sizeof(log_text) - at, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&log_mutex);
}

bool shim_said(const char *part)
{
	bool said;

	pthread_mutex_lock(&log_mutex);
	said = strstr(log_text, part);
	*log_text = '\0';
	pthread_mutex_unlock(&log_mutex);
	return said;
}

/* Locks */

void shim_lock_init(struct shim_lock *lock, const char *name, bool spins)
{
	pthread_mutex_init(&lock->mutex, NULL);
	store(&lock->owner, NULL);
	lock->name = name;
	lock->spins = spins;
}

/* All zeroes were never initialised, which the kernel lets pass here */
void shim_lock_destroy(struct shim_lock *lock)
{
	if (!lock->name)
		return;
	if (load(&lock->owner))
		shim_bug("%s destroyed while held", lock->name);
	pthread_mutex_destroy(&lock->mutex);
	lock->name = NULL;
}

void shim_lock_take(struct shim_lock *lock)
{
	if (!lock->name)
		shim_bug("lock taken before it was initialised");
	if (!lock->spins)
		shim_might_sleep(lock->name);
	if (load(&lock->owner) == &current)
		shim_bug("%s taken twice: deadlock", lock->name);
	pthread_mutex_lock(&lock->mutex);
	store(&lock->owner, (const void *)&current);
	current.spinlocks += lock->spins;
}

bool shim_lock_try(struct shim_lock *lock)
{
	if (!lock->name)
		shim_bug("lock tried before it was initialised");
	if (load(&lock->owner) == &current || pthread_mutex_trylock(&lock->mutex))
		return false;
	store(&lock->owner, (const void *)&current);
	current.spinlocks += lock->spins;
	return true;
}

void shim_lock_release(struct shim_lock *lock)
{
	if (load(&lock->owner) != &current)
		shim_bug("%s released by a thread that does not hold it", lock->name);
	current.spinlocks -= lock->spins;
	store(&lock->owner, NULL);
	pthread_mutex_unlock(&lock->mutex);
}

void shim_assert_held(const struct shim_lock *lock, const char *where, int line)
{
	if (load(&lock->owner) != &current)
		shim_bug("%s:%d: a lock is not held that has to be", where, line);
}

unsigned long shim_spinlocks_held(void)
{
	return current.spinlocks;
}

void shim_might_sleep(const char *what)
{
	if (current.spinlocks || current.in_eventfd)
		shim_bug("%s may sleep, in atomic context", what);
}

void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags)
{
	if (flags != current.spinlocks - 1)
		shim_bug("%s: flags restored that another lock saved", l->shim.name);
	spin_unlock(l);
}

/* Memory */

static unsigned int fail_in, hook_in;
static void (*alloc_hook)(void);
static unsigned long allocs_made;
static long allocs_alive;

void shim_fail_alloc(unsigned int nth)
{
	store(&fail_in, nth);
}

void shim_hook_alloc(unsigned int nth, void (*hook)(void))
{
	alloc_hook = hook;
	store(&hook_in, nth);
}

long shim_allocs_alive(void)
{
	return load(&allocs_alive);
}

unsigned long shim_allocs_made(void)
{
	return load(&allocs_made);
}

void *kmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;
	void *ptr;

	if (gfp & GFP_KERNEL)
		shim_might_sleep("an allocation");
	if (load(&hook_in) && !add(&hook_in, -1))
		alloc_hook();
	if (!(gfp & __GFP_NOFAIL) && load(&fail_in) && !add(&fail_in, -1))
		return NULL;
	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	ptr = gfp & __GFP_ZERO ? calloc(1, bytes) : malloc(bytes);
	if (!ptr)
		shim_bug("out of memory");
	add(&allocs_made, 1);
	add(&allocs_alive, 1);
	return ptr;
}

void kfree(const void *ptr)
{
	if (ptr)
		add(&allocs_alive, -1);
	free((void *)ptr);
}

bool is_vmalloc_addr(const void *addr)
{
	return malloc_usable_size((void *)addr) >= PAGE_SIZE;
}

/* Eventfds */

#define MAX_FILES	4096

enum file { FILE_NONE, FILE_EVENTFD, FILE_OTHER };

/* @refs are those of the code under test; the open file holds its own in @file */
struct eventfd_ctx {
	spinlock_t wqh;		/* @count and @waiters */
	enum file file;
	int refs;
	u64 count;
	u64 signals;
	struct virqfd *waiters;
};

struct virqfd {
	void *opaque;
	int (*handler)(void *opaque, void *data);
	void (*thread)(void *opaque, void *data);
	void *data;
	struct virqfd **pvirqfd;
	struct eventfd_ctx *ctx;
	struct virqfd *next_waiter;
	struct virqfd *next_work;
	bool queued;
};

static struct eventfd_ctx files[MAX_FILES];

static struct eventfd_ctx *file(int fd)
{
	if (fd < 0 || fd >= MAX_FILES || load(&files[fd].file) == FILE_NONE)
		shim_bug("the test uses fd %d, which is not open", fd);
	return &files[fd];
}

static int open_file(enum file kind)
{
	struct eventfd_ctx *ctx;
	int fd;

	for (fd = 0; fd < MAX_FILES; fd++) {
		ctx = &files[fd];
		if (ctx->file == FILE_NONE && !load(&ctx->refs)) {
			spin_lock_init(&ctx->wqh);
			ctx->count = 0;
			ctx->signals = 0;
			store(&ctx->file, kind);
			return fd;
		}
	}
	shim_bug("no file descriptor left");
}

int shim_eventfd(void)
{
	return open_file(FILE_EVENTFD);
}

int shim_other_file(void)
{
	return open_file(FILE_OTHER);
}

struct eventfd_ctx *eventfd_ctx_fdget(int fd)
{
	if (fd < 0 || fd >= MAX_FILES || load(&files[fd].file) == FILE_NONE)
		return ERR_PTR(-EBADF);
	if (files[fd].file != FILE_EVENTFD)
		return ERR_PTR(-EINVAL);
	add(&files[fd].refs, 1);
	return &files[fd];
}

void eventfd_ctx_put(struct eventfd_ctx *ctx)
{
	if (add(&ctx->refs, -1) < 0)
		shim_bug("eventfd %d: more puts than gets", (int)(ctx - files));
}

static void queue_work(struct virqfd *virqfd);

/* Somebody waits for @ctx: what virqfd_wakeup() does, with the wait queue locked */
static void wake_locked(struct eventfd_ctx *ctx)
{
	struct virqfd *v;

	lockdep_assert_held(&ctx->wqh);
	current.in_eventfd = true;
	for (v = ctx->waiters; v; v = v->next_waiter) {
		ctx->count = 0;
		if ((!v->handler || v->handler(v->opaque, v->data)) && v->thread)
			queue_work(v);
	}
	current.in_eventfd = false;
}

void eventfd_signal(struct eventfd_ctx *ctx)
{
	unsigned long flags;

	if (load(&ctx->refs) <= 0)
		shim_bug("eventfd %d signalled after its last put", (int)(ctx - files));
	if (current.in_eventfd) {
		fprintf(stderr, "# shim: eventfd %d signalled from another's wake-up: refused\n",
			(int)(ctx - files));
		add(&warnings, 1);
		return;
	}
	spin_lock_irqsave(&ctx->wqh, flags);
	ctx->count++;
	ctx->signals++;
	wake_locked(ctx);
	spin_unlock_irqrestore(&ctx->wqh, flags);
}

void shim_eventfd_write(int fd)
{
	struct eventfd_ctx *ctx = file(fd);

	spin_lock(&ctx->wqh);
	ctx->count++;
	wake_locked(ctx);
	spin_unlock(&ctx->wqh);
}

u64 shim_eventfd_signals(int fd)
{
	struct eventfd_ctx *ctx = file(fd);
	u64 signals;

	spin_lock(&ctx->wqh);
	signals = ctx->signals;
	spin_unlock(&ctx->wqh);
	return signals;
}

int shim_eventfd_refs(int fd)
{
	return load(&file(fd)->refs);
}

int shim_eventfd_all_refs(void)
{
	int fd, refs = 0;

	for (fd = 0; fd < MAX_FILES; fd++)
		refs += load(&files[fd].refs);
	return refs;
}

/* The work queue */

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;	/* the list */
static pthread_mutex_t run_lock = PTHREAD_MUTEX_INITIALIZER;	/* held while an item runs */
static struct virqfd *queue;

static void queue_work(struct virqfd *virqfd)
{
	pthread_mutex_lock(&queue_lock);
	if (!virqfd->queued) {
		virqfd->queued = true;
		virqfd->next_work = queue;
		queue = virqfd;
	}
	pthread_mutex_unlock(&queue_lock);
}

/* Take @only, or whichever comes first, off the queue. NULL if it isn't there. */
static struct virqfd *dequeue_work(struct virqfd *only)
{
	struct virqfd **link, *v;

	pthread_mutex_lock(&queue_lock);
	for (link = &queue; *link && only && *link != only; link = &(*link)->next_work)
		;
	v = *link;
	if (v) {
		*link = v->next_work;
		v->queued = false;
	}
	pthread_mutex_unlock(&queue_lock);
	return v;
}

static bool run_one(struct virqfd *only)
{
	struct virqfd *v;

	pthread_mutex_lock(&run_lock);
	v = dequeue_work(only);
	if (v)
		v->thread(v->opaque, v->data);
	pthread_mutex_unlock(&run_lock);
	return v;
}

unsigned int shim_run_work(unsigned int limit)
{
	unsigned int ran = 0;

	while (ran < limit && run_one(NULL))
		ran++;
	return ran;
}

/* Virqfds */

static pthread_mutex_t virqfd_lock = PTHREAD_MUTEX_INITIALIZER;	/* every *pvirqfd */

static void shutdown(struct virqfd *virqfd)
{
	struct virqfd **link;

	spin_lock(&virqfd->ctx->wqh);
	for (link = &virqfd->ctx->waiters; *link != virqfd; link = &(*link)->next_waiter)
		;
	*link = virqfd->next_waiter;
	spin_unlock(&virqfd->ctx->wqh);
	run_one(virqfd);
	eventfd_ctx_put(virqfd->ctx);
	kfree(virqfd);
}

int vfio_virqfd_enable(void *opaque, int (*handler)(void *, void *),
		       void (*thread)(void *, void *), void *data,
		       struct virqfd **pvirqfd, int fd)
{
	struct virqfd *virqfd;
	struct eventfd_ctx *ctx;
	bool busy;

	virqfd = kzalloc(sizeof(*virqfd), GFP_KERNEL);
	if (!virqfd)
		return -ENOMEM;
	ctx = eventfd_ctx_fdget(fd);
	if (IS_ERR(ctx)) {
		kfree(virqfd);
		return PTR_ERR(ctx);
	}
	virqfd->opaque = opaque;
	virqfd->handler = handler;
	virqfd->thread = thread;
	virqfd->data = data;
	virqfd->pvirqfd = pvirqfd;
	virqfd->ctx = ctx;

	pthread_mutex_lock(&virqfd_lock);
	busy = *pvirqfd;
	if (!busy)
		*pvirqfd = virqfd;
	pthread_mutex_unlock(&virqfd_lock);
	if (busy) {
		eventfd_ctx_put(ctx);
		kfree(virqfd);
		return -EBUSY;
	}

	spin_lock(&ctx->wqh);
	virqfd->next_waiter = ctx->waiters;
	ctx->waiters = virqfd;
	busy = ctx->count;
	spin_unlock(&ctx->wqh);
	if (busy && (!handler || handler(opaque, data)) && thread)
		queue_work(virqfd);
	return 0;
}

/* Take *@pvirqfd, if it is still @only or if any will do */
static struct virqfd *detach(struct virqfd **pvirqfd, struct virqfd *only)
{
	struct virqfd *v;

	pthread_mutex_lock(&virqfd_lock);
	v = *pvirqfd;
	if (only && v != only)
		v = NULL;
	if (v)
		*pvirqfd = NULL;
	pthread_mutex_unlock(&virqfd_lock);
	return v;
}

void vfio_virqfd_disable(struct virqfd **pvirqfd)
{
	struct virqfd *v;

	shim_might_sleep("vfio_virqfd_disable()");
	v = detach(pvirqfd, NULL);
	if (v)
		shutdown(v);
}

/* Closing an eventfd hangs up on those who wait for it */
void shim_close(int fd)
{
	struct eventfd_ctx *ctx = file(fd);
	struct virqfd *v;

	while ((v = ctx->waiters)) {
		if (detach(v->pvirqfd, v))
			shutdown(v);
	}
	store(&ctx->file, FILE_NONE);
}

void shim_close_all(void)
{
	int fd;

	for (fd = 0; fd < MAX_FILES; fd++)
		if (files[fd].file != FILE_NONE)
			shim_close(fd);
}
