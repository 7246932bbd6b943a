// SPDX-License-Identifier: MIT
/*
 * irq_race_test.c - kernel/mdev/irq.c from several threads at once, for ThreadSanitizer
 */
#include <pthread.h>
#include <string.h>
#include "unit.h"
#include "irq.h"

#define NUM_VEC		4
#define NUM_FDS		6
#define ROUNDS		10000
#define ENOUGH		1000		/* interrupts that have to get through */

static struct mvgpu_irqs irqs;
static int fds[NUM_FDS], eoi;
static bool stop;

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

/* Two vendor drivers' worth of interrupts */
static void *raise_and_lower(void *arg)
{
	u64 seed = *(u64 *)arg;
	u32 msi;
	bool intx;

	while (!stopped()) {
		mvgpu_irqs_raise(&irqs, unit_below(&seed, NUM_VEC + 1));
		if (!unit_below(&seed, 3))
			mvgpu_irqs_lower(&irqs);
		if (!unit_below(&seed, 16))
			mvgpu_irqs_request(&irqs);
		mvgpu_irqs_pending(&irqs, &intx, &msi);
		mvgpu_irqs_pba_read(&irqs, 0);
		mvgpu_irqs_delivered(&irqs);
	}
	return NULL;
}

/* The guest: its configuration space, its MSI-X table, its end of interrupt */
static void *guest(void *arg)
{
	u64 seed = *(u64 *)arg;

	while (!stopped()) {
		struct mvgpu_config_gate gate = {
			.intx_off = !unit_below(&seed, 4),
			.msg_off = !unit_below(&seed, 4),
			.msix_masked = !unit_below(&seed, 4),
			.msi_mask = unit_below(&seed, 2) ? unit_below(&seed, 1 << NUM_VEC) : 0,
		};
		u32 offset = unit_below(&seed, NUM_VEC * 4) * 4;

		mvgpu_irqs_gate(&irqs, &gate);
		mvgpu_irqs_table_write(&irqs, offset, unit_random(&seed));
		mvgpu_irqs_table_read(&irqs, offset);
		shim_eventfd_write(eoi);
		if (!unit_below(&seed, 100))
			mvgpu_irqs_reset(&irqs);
	}
	return NULL;
}

static void *worker(void *arg)
{
	(void)arg;
	while (!stopped())
		shim_run_work(4);
	return NULL;
}

/* The VMM, on this thread */
static void vmm(u64 *seed)
{
	static const u32 indexes[] = {
		VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
		VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX,
	};
	static const u32 actions[] = {
		VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_ACTION_MASK, VFIO_IRQ_SET_ACTION_UNMASK,
	};
	unsigned int i = unit_below(seed, ARRAY_SIZE(indexes));
	u32 action = actions[unit_below(seed, 3)];
	u32 count = i == 1 || i == 2 ? NUM_VEC : 1, j;
	s32 data[NUM_VEC];

	if (!unit_below(seed, 8)) {
		mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
			       indexes[i], 0, 0, NULL);
		return;
	}
	if (action != VFIO_IRQ_SET_ACTION_TRIGGER && unit_below(seed, 2)) {
		mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_DATA_NONE | action, indexes[i], 0, count, NULL);
		return;
	}
	for (j = 0; j < count; j++)
		data[j] = unit_below(seed, 4) ? fds[unit_below(seed, NUM_FDS)] : -1;
	if (action == VFIO_IRQ_SET_ACTION_UNMASK)
		data[0] = unit_below(seed, 4) ? eoi : -1;
	mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_DATA_EVENTFD | action, indexes[i], 0, count, data);
	if (!unit_below(seed, 200))
		mvgpu_irqs_close(&irqs);
}

static void races(void **state)
{
	u64 seed = unit_seed("races"), seeds[3], sum = 0;
	pthread_t threads[4];
	int i;

	for (i = 0; i < NUM_FDS; i++)
		fds[i] = shim_eventfd();
	eoi = fds[0];			/* an odd VMM, that hands in one for both */
	assert_int_equal(mvgpu_irqs_init(&irqs, true, NUM_VEC, NUM_VEC), 0);
	for (i = 0; i < 3; i++)
		seeds[i] = unit_random(&seed);
	pthread_create(&threads[0], NULL, raise_and_lower, &seeds[0]);
	pthread_create(&threads[1], NULL, raise_and_lower, &seeds[1]);
	pthread_create(&threads[2], NULL, guest, &seeds[2]);
	pthread_create(&threads[3], NULL, worker, NULL);
	for (i = 0; i < ROUNDS || (i < 100 * ROUNDS && mvgpu_irqs_delivered(&irqs) < ENOUGH); i++)
		vmm(&seed);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);

	mvgpu_irqs_close(&irqs);
	assert_int_equal(shim_run_work(1), 0);
	assert_int_equal(shim_eventfd_all_refs(), 0);
	assert_int_equal(shim_warnings(), 0);
	for (i = 0; i < NUM_FDS; i++)
		sum += shim_eventfd_signals(fds[i]);
	print_message("# %llu interrupts, %llu signals\n",
		      (unsigned long long)mvgpu_irqs_delivered(&irqs), (unsigned long long)sum);
	assert_true(mvgpu_irqs_delivered(&irqs) >= ENOUGH);
	assert_true(sum >= mvgpu_irqs_delivered(&irqs));	/* requests are not counted */
	mvgpu_irqs_fini(&irqs);
	assert_int_equal(shim_allocs_alive(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(races),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
