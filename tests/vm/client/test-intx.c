// SPDX-License-Identifier: MIT
/*
 * Owns the tests of INTx and of the error and request indexes: levels, masking,
 * automasking, and the eventfds on both sides.
 */
#include "util.h"

static void raise_intx(struct fixture *f)
{
	reg_write(f, BAR0, T_RAISE, 4, 0);
}

static void lower_intx(struct fixture *f)
{
	reg_write(f, BAR0, T_LOWER, 4, 0);
}

static void mask(struct fixture *f)
{
	struct vgpu_error err;

	DID(vgpu_irq_none(f->dev, INTX, MASK, 0, 1, &err), &err);
}

static void unmask(struct fixture *f)
{
	struct vgpu_error err;

	DID(vgpu_irq_none(f->dev, INTX, UNMASK, 0, 1, &err), &err);
}

static bool status_bit(struct fixture *f)
{
	return cfg_read(f, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT;
}

static void loopback(struct fixture *f)
{
	struct vgpu_error err;
	__u8 yes = 1, no = 0;
	int fd;

	arm(f, INTX, 0, 1, &fd);
	QUIET(fd);
	DID(vgpu_irq_none(f->dev, INTX, TRIGGER, 0, 1, &err), &err);
	FIRES(fd);
	DID(vgpu_irq_bool(f->dev, INTX, TRIGGER, 0, 1, &yes, &err), &err);
	FIRES(fd);
	DID(vgpu_irq_bool(f->dev, INTX, TRIGGER, 0, 1, &no, &err), &err);
	QUIET(fd);
}

static void level(struct fixture *f)
{
	int fd;

	memory_on(f);
	arm(f, INTX, 0, 1, &fd);
	raise_intx(f);
	FIRES(fd);
	/* masked by delivery: still asserted, but the VMM knows */
	raise_intx(f);
	QUIET(fd);
	/* still asserted when unmasked: comes again */
	unmask(f);
	FIRES(fd);
	lower_intx(f);
	QUIET(fd);
	unmask(f);
	QUIET(fd);
	raise_intx(f);
	FIRES(fd);
	lower_intx(f);
}

static void status(struct fixture *f)
{
	memory_on(f);
	OK(!status_bit(f), "Interrupt Status is set at power-on");
	raise_intx(f);
	OK(status_bit(f), "Interrupt Status is clear while INTx is asserted");
	/* PCI 3.0, 6.2.3: whether or not the Interrupt Disable bit is set */
	command(f, PCI_COMMAND_INTX_DISABLE, 0);
	OK(status_bit(f), "Interrupt Status depends on Interrupt Disable");
	cfg_write(f, PCI_STATUS, 2, PCI_STATUS_INTERRUPT);
	OK(status_bit(f), "Interrupt Status can be written");
	lower_intx(f);
	OK(!status_bit(f), "Interrupt Status is set after INTx was lowered");
}

static void masking(struct fixture *f)
{
	struct vgpu_error err;
	__u8 yes = 1, no = 0;
	int fd;

	memory_on(f);
	arm(f, INTX, 0, 1, &fd);
	mask(f);
	raise_intx(f);
	QUIET(fd);
	unmask(f);
	FIRES(fd);
	lower_intx(f);
	unmask(f);
	QUIET(fd);

	DID(vgpu_irq_bool(f->dev, INTX, MASK, 0, 1, &no, &err), &err);
	raise_intx(f);
	FIRES(fd);
	lower_intx(f);
	DID(vgpu_irq_bool(f->dev, INTX, UNMASK, 0, 1, &yes, &err), &err);
	DID(vgpu_irq_bool(f->dev, INTX, MASK, 0, 1, &yes, &err), &err);
	raise_intx(f);
	QUIET(fd);
	DID(vgpu_irq_bool(f->dev, INTX, UNMASK, 0, 1, &no, &err), &err);
	QUIET(fd);
	DID(vgpu_irq_bool(f->dev, INTX, UNMASK, 0, 1, &yes, &err), &err);
	FIRES(fd);

	/* lowered while masked: nothing is left to tell */
	lower_intx(f);
	mask(f);
	raise_intx(f);
	lower_intx(f);
	unmask(f);
	QUIET(fd);
}

static void interrupt_disable(struct fixture *f)
{
	int fd;

	memory_on(f);
	arm(f, INTX, 0, 1, &fd);
	command(f, PCI_COMMAND_INTX_DISABLE, 0);
	raise_intx(f);
	QUIET(fd);
	command(f, 0, PCI_COMMAND_INTX_DISABLE);
	FIRES(fd);
	lower_intx(f);
	unmask(f);
	QUIET(fd);
}

static void unmask_eventfd(struct fixture *f)
{
	struct vgpu_error err;
	int fd, resample, other, none = -1;
	int ret;

	memory_on(f);
	arm(f, INTX, 0, 1, &fd);
	resample = ev_new();
	other = ev_new();
	DID(vgpu_irq_eventfd(f->dev, INTX, UNMASK, 0, 1, &resample, &err), &err);

	raise_intx(f);
	FIRES(fd);
	ev_write(resample);
	FIRES(fd);
	lower_intx(f);
	ev_write(resample);
	QUIET(fd);
	raise_intx(f);
	FIRES(fd);
	lower_intx(f);
	ev_write(resample);
	QUIET(fd);

	/* one at a time; the second is refused or takes over, not both */
	ret = vgpu_irq_eventfd(f->dev, INTX, UNMASK, 0, 1, &other, &err);
	if (ret)
		REFUSED(ret, EBUSY);

	DID(vgpu_irq_eventfd(f->dev, INTX, UNMASK, 0, 1, &none, &err), &err);
	mask(f);
	raise_intx(f);
	ev_write(resample);
	ev_write(other);
	QUIET(fd);
	unmask(f);
	FIRES(fd);
}

static void unmask_eventfd_closed(struct fixture *f)
{
	struct vgpu_error err;
	int fd, resample;

	memory_on(f);
	arm(f, INTX, 0, 1, &fd);
	resample = ev_new();
	DID(vgpu_irq_eventfd(f->dev, INTX, UNMASK, 0, 1, &resample, &err), &err);
	close(resample);
	/* the kernel lets go of it on its own; a new one may be bound after that */
	usleep(100000);
	resample = ev_new();
	DID(vgpu_irq_eventfd(f->dev, INTX, UNMASK, 0, 1, &resample, &err), &err);
	raise_intx(f);
	FIRES(fd);
	ev_write(resample);
	FIRES(fd);
	disarm(f, INTX);
	ev_write(resample);
	QUIET(fd);
}

static void mask_eventfd(struct fixture *f)
{
	int fd, efd = ev_new();

	arm(f, INTX, 0, 1, &fd);
	REFUSED(vgpu_irq_eventfd(f->dev, INTX, MASK, 0, 1, &efd, NULL), ENOTTY);
}

static void not_enabled(struct fixture *f)
{
	__u8 yes = 1;

	memory_on(f);
	REFUSED(vgpu_irq_none(f->dev, INTX, MASK, 0, 1, NULL), EINVAL);
	REFUSED(vgpu_irq_none(f->dev, INTX, UNMASK, 0, 1, NULL), EINVAL);
	REFUSED(vgpu_irq_none(f->dev, INTX, TRIGGER, 0, 1, NULL), EINVAL);
	REFUSED(vgpu_irq_bool(f->dev, INTX, TRIGGER, 0, 1, &yes, NULL), EINVAL);
	raise_intx(f);
	lower_intx(f);
}

static void raised_before_armed(struct fixture *f)
{
	int fd;

	memory_on(f);
	raise_intx(f);
	arm(f, INTX, 0, 1, &fd);
	FIRES(fd);
	lower_intx(f);
}

static void disable(struct fixture *f)
{
	struct vgpu_error err;
	int fd, none = -1;

	memory_on(f);
	arm(f, INTX, 0, 1, &fd);
	raise_intx(f);
	FIRES(fd);
	lower_intx(f);
	disarm(f, INTX);
	raise_intx(f);
	QUIET(fd);
	REFUSED(vgpu_irq_none(f->dev, INTX, TRIGGER, 0, 1, NULL), EINVAL);
	QUIET(fd);
	lower_intx(f);

	/* without an eventfd the index stays in use, but says nothing */
	arm(f, INTX, 0, 1, &fd);
	DID(vgpu_irq_eventfd(f->dev, INTX, TRIGGER, 0, 1, &none, &err), &err);
	raise_intx(f);
	QUIET(fd);
	lower_intx(f);
	disarm(f, INTX);
}

static void replaced(struct fixture *f)
{
	int old, new;

	memory_on(f);
	arm(f, INTX, 0, 1, &old);
	arm(f, INTX, 0, 1, &new);
	raise_intx(f);
	FIRES(new);
	QUIET(old);
	lower_intx(f);
}

static void closed_eventfd(struct fixture *f)
{
	int fd;

	memory_on(f);
	arm(f, INTX, 0, 1, &fd);
	close(fd);
	raise_intx(f);
	lower_intx(f);
	disarm(f, INTX);
}

static void one_kind_at_a_time(struct fixture *f)
{
	static const unsigned int order[] = { INTX, MSI, MSIX, INTX, MSIX, MSI, INTX };
	unsigned int i, other;
	int fd, refused;

	memory_on(f);
	refused = ev_new();
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		arm(f, order[i], 0, 1, &fd);
		for (other = INTX; other <= MSIX; other++)
			if (other != order[i])
				REFUSED(vgpu_irq_eventfd(f->dev, other, TRIGGER, 0, 1, &refused,
							 NULL), EINVAL);
		reg_write(f, BAR0, T_RAISE, 4, 0);
		FIRES(fd);
		lower_intx(f);
		disarm(f, order[i]);
		QUIET(fd);
		QUIET(refused);
		close(fd);
	}
}

/* The device interrupted with messages: that is no reason for a level later. */
static void messages_leave_no_level(struct fixture *f)
{
	int msi, intx;

	memory_on(f);
	arm(f, MSI, 0, 1, &msi);
	reg_write(f, BAR0, T_RAISE, 4, 0);
	FIRES(msi);
	disarm(f, MSI);
	arm(f, INTX, 0, 1, &intx);
	QUIET(intx);
}

static void absent(struct fixture *f)
{
	int fd = ev_new();
	unsigned int i;

	for (i = INTX; i <= MSIX; i++) {
		REFUSED(vgpu_irq_eventfd(f->dev, i, TRIGGER, 0, 1, &fd, NULL), EINVAL);
		REFUSED(vgpu_irq_none(f->dev, i, TRIGGER, 0, 1, NULL), EINVAL);
		REFUSED(vgpu_irq_none(f->dev, i, TRIGGER, 0, 0, NULL), EINVAL);
	}
}

static void single(struct fixture *f, unsigned int index)
{
	struct vgpu_error err;
	__u8 yes = 1, no = 0;
	int fd, none = -1;

	arm(f, index, 0, 1, &fd);
	DID(vgpu_irq_none(f->dev, index, TRIGGER, 0, 1, &err), &err);
	FIRES(fd);
	DID(vgpu_irq_bool(f->dev, index, TRIGGER, 0, 1, &yes, &err), &err);
	FIRES(fd);
	DID(vgpu_irq_bool(f->dev, index, TRIGGER, 0, 1, &no, &err), &err);
	QUIET(fd);
	REFUSED(vgpu_irq_none(f->dev, index, MASK, 0, 1, NULL), ENOTTY);
	REFUSED(vgpu_irq_none(f->dev, index, UNMASK, 0, 1, NULL), ENOTTY);
	REFUSED(vgpu_irq_none(f->dev, index, TRIGGER, 1, 1, NULL), EINVAL);
	REFUSED(vgpu_irq_none(f->dev, index, TRIGGER, 0, 2, NULL), EINVAL);

	DID(vgpu_irq_eventfd(f->dev, index, TRIGGER, 0, 1, &none, &err), &err);
	vgpu_irq_none(f->dev, index, TRIGGER, 0, 1, NULL);
	QUIET(fd);
	DID(vgpu_irq_eventfd(f->dev, index, TRIGGER, 0, 1, &fd, &err), &err);
	disarm(f, index);
	vgpu_irq_none(f->dev, index, TRIGGER, 0, 1, NULL);
	vgpu_irq_bool(f->dev, index, TRIGGER, 0, 1, &yes, NULL);
	QUIET(fd);
}

static void error_index(struct fixture *f)
{
	single(f, ERR);
}

static void request_index(struct fixture *f)
{
	single(f, REQ);
}

static const struct test tests[] = {
	{ "INTx loopback", ON_TEST, loopback },
	{ "INTx is a level and masked by delivery", ON_TEST, level },
	{ "Interrupt Status follows INTx", ON_TEST, status },
	{ "a masked INTx is kept until unmasked", ON_TEST, masking },
	{ "Interrupt Disable holds INTx back", ON_TEST, interrupt_disable },
	{ "an eventfd unmasks INTx", ON_TEST, unmask_eventfd },
	{ "an unmask eventfd that was closed", ON_TEST, unmask_eventfd_closed },
	{ "an eventfd cannot mask INTx", ON_TEST, mask_eventfd },
	{ "INTx that is not in use refuses actions", ON_TEST, not_enabled },
	{ "INTx asserted before it was armed", ON_TEST, raised_before_armed },
	{ "nothing comes after INTx was disabled", ON_TEST, disable },
	{ "a second eventfd replaces the first", ON_TEST, replaced },
	{ "an armed eventfd may be closed", ON_TEST, closed_eventfd },
	{ "INTx, MSI and MSI-X take turns", ON_TEST, one_kind_at_a_time },
	{ "MSI leaves no INTx level behind", ON_TEST, messages_leave_no_level },
	{ "absent interrupts refuse everything", ON_BOCHS, absent },
	{ "error index", ON_BOTH, error_index },
	{ "request index", ON_BOTH, request_index },
};

const struct group group_intx = GROUP("intx", tests);
