/* SPDX-License-Identifier: MIT */
/* irq_unit.h - a device that is nothing but its interrupts, and the VMM that sets them up */
#ifndef IRQ_UNIT_H
#define IRQ_UNIT_H

#include <linux/pci_regs.h>
#include <string.h>
#include "unit.h"
#include "irq.h"

#define INTX	VFIO_PCI_INTX_IRQ_INDEX
#define MSI	VFIO_PCI_MSI_IRQ_INDEX
#define MSIX	VFIO_PCI_MSIX_IRQ_INDEX
#define ERRX	VFIO_PCI_ERR_IRQ_INDEX
#define REQX	VFIO_PCI_REQ_IRQ_INDEX
#define NONE	VFIO_PCI_NUM_IRQS

#define NUM_MSI		4
#define NUM_MSIX	40	/* more than one word of pending bits */

static struct mvgpu_irqs irqs;

/* What the VMM calls; @action and @type without their common prefixes */
#define set(action, type, index, start, count, data)				\
	mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_ACTION_##action |			\
		       VFIO_IRQ_SET_DATA_##type, index, start, count, data)

static inline u64 signals(int fd)
{
	return shim_eventfd_signals(fd);
}

static inline int setup(void **state)
{
	memset(&irqs, 0, sizeof(irqs));
	return mvgpu_irqs_init(&irqs, true, NUM_MSI, NUM_MSIX);
}

/* However a test ends: the VMM closes, and nothing of it is left */
static inline int teardown(void **state)
{
	mvgpu_irqs_close(&irqs);
	assert_int_equal(shim_eventfd_all_refs(), 0);
	assert_null(irqs.unmask);
	mvgpu_irqs_fini(&irqs);
	shim_close_all();
	assert_int_equal(shim_allocs_alive(), 0);
	assert_int_equal(shim_warnings(), 0);
	assert_int_equal(shim_run_work(1), 0);
	return 0;
}

#define test(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif /* IRQ_UNIT_H */
