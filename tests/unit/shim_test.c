// SPDX-License-Identifier: MIT
/*
 * shim_test.c - the shim's own checks fire: without that, what the other tests find says
 * nothing
 */
#include <linux/eventfd.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vfio.h>
#include "unit.h"
#include "compat.h"

static struct mutex mutex;
static spinlock_t spin, other;
static struct virqfd *virqfd;
static int fds[2];

static int setup(void **state)
{
	mutex_init(&mutex);
	spin_lock_init(&spin);
	spin_lock_init(&other);
	fds[0] = shim_eventfd();
	fds[1] = shim_eventfd();
	return 0;
}

static int teardown(void **state)
{
	shim_close_all();
	return shim_eventfd_all_refs() || shim_allocs_alive() || shim_warnings();
}

static void take_twice(void) { spin_lock(&spin); spin_lock(&spin); }
static void mutex_twice(void) { mutex_lock(&mutex); mutex_lock(&mutex); }
static void release_free(void) { spin_unlock(&spin); }
static void assert_free(void) { lockdep_assert_held(&spin); }
static void assert_free_mutex(void) { lockdep_assert_held(&mutex); }
static void sleep_in_atomic(void) { spin_lock(&spin); mutex_lock(&mutex); }
static void allocate_in_atomic(void) { spin_lock(&spin); kfree(kzalloc(1, GFP_KERNEL)); }
static void disable_in_atomic(void) { spin_lock(&spin); vfio_virqfd_disable(&virqfd); }
static void destroy_held(void) { mutex_lock(&mutex); mutex_destroy(&mutex); }

static void uninitialised(void)
{
	static struct mutex never;

	mutex_lock(&never);
}

static void restore_in_wrong_order(void)
{
	unsigned long a, b;

	spin_lock_irqsave(&spin, a);
	spin_lock_irqsave(&other, b);
	spin_unlock_irqrestore(&spin, a);
	spin_unlock_irqrestore(&other, b);
}

static void *release(void *lock)
{
	mutex_unlock(lock);
	return NULL;
}

static void release_of_another_thread(void)
{
	pthread_t thread;

	mutex_lock(&mutex);
	pthread_create(&thread, NULL, release, &mutex);
	pthread_join(thread, NULL);
}

static void locks(void **state)
{
	unsigned long a, b;

	mutex_lock(&mutex);
	spin_lock_irqsave(&spin, a);
	spin_lock_irqsave(&other, b);
	lockdep_assert_held(&mutex);
	lockdep_assert_held(&spin);
	kfree(kzalloc(1, GFP_ATOMIC));
	spin_unlock_irqrestore(&other, b);
	spin_unlock_irqrestore(&spin, a);
	kfree(kzalloc(1, GFP_KERNEL));
	mutex_unlock(&mutex);

	assert_dies(take_twice);
	assert_dies(mutex_twice);
	assert_dies(release_free);
	assert_dies(release_of_another_thread);
	assert_dies(assert_free);
	assert_dies(assert_free_mutex);
	assert_dies(sleep_in_atomic);
	assert_dies(allocate_in_atomic);
	assert_dies(disable_in_atomic);
	assert_dies(destroy_held);
	assert_dies(uninitialised);
	assert_dies(restore_in_wrong_order);
}

static void memory(void **state)
{
	void *ptr[3];
	int i;

	shim_fail_alloc(2);
	for (i = 0; i < 3; i++)
		ptr[i] = kcalloc(4, 4, GFP_KERNEL);
	assert_true(ptr[0] && !ptr[1] && ptr[2]);
	assert_int_equal(shim_allocs_alive(), 2);
	assert_int_equal(*(u64 *)ptr[0], 0);
	for (i = 0; i < 3; i++)
		kfree(ptr[i]);
	assert_int_equal(shim_allocs_alive(), 0);
	assert_null(kcalloc(1ull << 40, 1ull << 40, GFP_KERNEL));
}

static void put_twice(void)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fds[0]);

	eventfd_ctx_put(ctx);
	eventfd_ctx_put(ctx);
}

static void use_after_put(void)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fds[0]);

	eventfd_ctx_put(ctx);
	eventfd_signal(ctx);
}

static void eventfds(void **state)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fds[1]);
	int other_file = shim_other_file();

	assert_int_equal(shim_eventfd_refs(fds[1]), 1);
	assert_int_equal(shim_eventfd_refs(fds[0]), 0);
	eventfd_signal(ctx);
	mvgpu_eventfd_signal(ctx);
	assert_int_equal(shim_eventfd_signals(fds[1]), 2);

	/* Closed, the context lives on with its references, and the fd is another file's */
	shim_close(fds[1]);
	assert_int_equal(PTR_ERR(eventfd_ctx_fdget(fds[1])), -EBADF);
	assert_int_equal(shim_eventfd_all_refs(), 1);
	eventfd_signal(ctx);
	eventfd_ctx_put(ctx);
	assert_int_equal(shim_eventfd_all_refs(), 0);

	assert_int_equal(PTR_ERR(eventfd_ctx_fdget(-1)), -EBADF);
	assert_int_equal(PTR_ERR(eventfd_ctx_fdget(1 << 20)), -EBADF);
	assert_int_equal(PTR_ERR(eventfd_ctx_fdget(other_file)), -EINVAL);
	assert_dies(put_twice);
	assert_dies(use_after_put);
}

static int handled, worked;

static int count_handled(void *opaque, void *data)
{
	(void)opaque;
	(void)data;
	assert_true(shim_spinlocks_held());
	handled++;
	return handled % 2;
}

static void count_worked(void *opaque, void *data)
{
	(void)opaque;
	(void)data;
	assert_false(shim_spinlocks_held());
	worked++;
}

static int signal_other(void *opaque, void *data)
{
	(void)data;
	eventfd_signal(opaque);
	return 0;
}

static void virqfds(void **state)
{
	struct eventfd_ctx *ctx;

	handled = 0;
	worked = 0;
	assert_int_equal(vfio_virqfd_enable(NULL, count_handled, count_worked, NULL, &virqfd,
					    fds[0]), 0);
	assert_int_equal(vfio_virqfd_enable(NULL, count_handled, NULL, NULL, &virqfd, fds[1]),
			 -EBUSY);
	assert_int_equal(shim_eventfd_all_refs(), 1);
	shim_eventfd_write(fds[0]);
	shim_eventfd_write(fds[0]);
	assert_int_equal(handled, 2);
	assert_int_equal(worked, 0);
	assert_int_equal(shim_run_work(9), 1);
	assert_int_equal(worked, 1);
	shim_eventfd_write(fds[0]);
	vfio_virqfd_disable(&virqfd);	/* flushes */
	assert_int_equal(worked, 2);
	assert_null(virqfd);
	vfio_virqfd_disable(&virqfd);
	shim_eventfd_write(fds[0]);
	assert_int_equal(handled, 3);

	/* Signalled before it was armed, and hung up on while armed */
	assert_int_equal(vfio_virqfd_enable(NULL, NULL, count_worked, NULL, &virqfd, fds[0]), 0);
	assert_int_equal(shim_run_work(9), 1);
	shim_close(fds[0]);
	assert_null(virqfd);

	/* From one wake-up into another */
	fds[0] = shim_eventfd();
	ctx = eventfd_ctx_fdget(fds[1]);
	assert_int_equal(vfio_virqfd_enable(ctx, signal_other, NULL, NULL, &virqfd, fds[0]), 0);
	shim_eventfd_write(fds[0]);
	assert_int_equal(shim_eventfd_signals(fds[1]), 0);
	assert_int_equal(shim_warnings(), 1);
	vfio_virqfd_disable(&virqfd);
	eventfd_ctx_put(ctx);
	assert_int_equal(vfio_virqfd_enable(NULL, NULL, NULL, NULL, &virqfd, 4000), -EBADF);
	shim_fail_alloc(1);
	assert_int_equal(vfio_virqfd_enable(NULL, NULL, NULL, NULL, &virqfd, fds[0]), -ENOMEM);
}

/* The macros that the portable sources compute with */
static void arithmetic(void **state)
{
	u8 bytes[9] = { 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
	unsigned int i = 5;

	assert_int_equal(get_unaligned_le16(bytes + 1), 0x2211);
	assert_int_equal(get_unaligned_le32(bytes + 1), 0x44332211);
	assert_true(get_unaligned_le64(bytes + 1) == 0x8877665544332211);
	put_unaligned_be16(0x1234, bytes + 1);
	assert_true(bytes[1] == 0x12 && bytes[2] == 0x34);
	assert_int_equal(max3(1, 3, 2), 3);
	assert_int_equal(min3(3, 1, 2), 1);
	assert_int_equal(max_t(int, -1, 1), 1);
	assert_int_equal(ALIGN(9u, 4), 12);
	assert_int_equal(upper_32_bits(1ull << 32), 1);
	assert_int_equal(min(i++, 9u), 5);
	assert_int_equal(i, 6);
	assert_true(IS_ERR(ERR_PTR(-1)) && IS_ERR(ERR_PTR(-4095)) && !IS_ERR(ERR_PTR(-4096)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(locks, setup, teardown),
		cmocka_unit_test_setup_teardown(memory, setup, teardown),
		cmocka_unit_test_setup_teardown(eventfds, setup, teardown),
		cmocka_unit_test_setup_teardown(virqfds, setup, teardown),
		cmocka_unit_test(arithmetic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
