// SPDX-License-Identifier: MIT
/*
 * irq_model_test.c - kernel/mdev/irq.c: a random walk beside a reference model
 *
 * In the model, a vector is what was asked for, not how irq.c stores it: the VMM's mask and
 * the table's are two things, and all that is derived is derived anew.
 */
#include "irq_unit.h"

#define NUM_FDS		8
#define BAD_FD		4000
#define MAX_VEC		NUM_MSIX

struct model {
	u32 active;
	int trigger[MAX_VEC];		/* index into fds, -1 for none */
	bool masked[MAX_VEC];
	bool pending[MAX_VEC];
	bool level;
	struct mvgpu_config_gate gate;
	u32 table[NUM_MSIX][4];
	bool written[NUM_MSIX];		/* the guest has written the entry's mask */
	bool armed;
	int err, req;
	u64 signals[NUM_FDS];
	u64 delivered;
};

static struct model m;
static int fds[NUM_FDS], eoi;
static const u32 counts[NONE] = { 1, NUM_MSI, NUM_MSIX, 1, 1 };

static void model_disable(void)
{
	int i;

	m.active = NONE;
	m.armed = false;
	for (i = 0; i < MAX_VEC; i++) {
		m.trigger[i] = -1;
		m.masked[i] = false;
		m.pending[i] = false;
	}
}

static bool model_held_back(unsigned int i)
{
	switch (m.active) {
	case INTX:
		return m.masked[i] || m.gate.intx_off;
	case MSI:
		return m.masked[i] || m.gate.msg_off || m.gate.msi_mask >> i & 1;
	default:
		return m.masked[i] || m.gate.msg_off || m.gate.msix_masked ||
		       (m.written[i] && m.table[i][3] & 1);
	}
}

static void model_signal(int fd)
{
	if (fd < 0)
		return;
	m.signals[fd]++;
	m.delivered++;
}

/* Whatever can go out does */
static void model_settle(void)
{
	unsigned int i;

	for (i = 0; m.active != NONE && i < counts[m.active]; i++) {
		if (m.active == INTX)
			m.pending[0] = m.level;
		if (!m.pending[i] || m.trigger[i] < 0 || model_held_back(i))
			continue;
		model_signal(m.trigger[i]);
		if (m.active == INTX)
			m.masked[0] = true;
		else
			m.pending[i] = false;
	}
}

static void model_raise(unsigned int vector)
{
	if (m.active == INTX || m.active == NONE)
		m.level = true;
	else if (vector < counts[m.active])
		m.pending[vector] = true;
}

static void step_raise(u64 *seed)
{
	unsigned int vector = unit_below(seed, 8) ? unit_below(seed, NUM_MSI) :
			      unit_below(seed, 2 * NUM_MSIX);

	mvgpu_irqs_raise(&irqs, vector);
	model_raise(vector);
}

static void step_gate(u64 *seed)
{
	struct mvgpu_config_gate g = {
		.intx_off = !unit_below(seed, 3),
		.msg_off = !unit_below(seed, 3),
		.msix_masked = !unit_below(seed, 3),
		.msi_mask = unit_below(seed, 2) ? unit_below(seed, 16) : 0,
	};

	mvgpu_irqs_gate(&irqs, &g);
	m.gate = g;
}

static void step_table(u64 *seed)
{
	unsigned int vector = unit_below(seed, unit_below(seed, 2) ? NUM_MSI : NUM_MSIX);
	unsigned int word = unit_below(seed, 4);
	u32 val = unit_below(seed, 2) ? unit_random(seed) : 0;

	mvgpu_irqs_table_write(&irqs, vector * 16 + word * 4, val);
	m.table[vector][word] = word == 3 ? val & 1 : val;
	m.written[vector] |= word == 3;
	assert_int_equal(mvgpu_irqs_table_read(&irqs, vector * 16 + word * 4),
			 m.table[vector][word]);
}

static void step_reset(u64 *seed)
{
	int i;

	(void)seed;
	mvgpu_irqs_reset(&irqs);
	m.level = false;
	for (i = 0; i < MAX_VEC; i++)
		m.pending[i] = false;
	memset(m.table, 0, sizeof(m.table));
	memset(m.written, 0, sizeof(m.written));
	for (i = 0; i < NUM_MSIX; i++)
		m.table[i][3] = 1;
}

static void step_set_single(u64 *seed, u32 index, u32 count, u32 type, s32 *data, int which)
{
	int *slot = index == ERRX ? &m.err : &m.req;
	int ret = mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_ACTION_TRIGGER | type, index, 0, count, data);

	(void)seed;
	if (!count) {
		*slot = -1;
	} else if (type == VFIO_IRQ_SET_DATA_EVENTFD) {
		if (data[0] == BAD_FD) {
			assert_int_equal(ret, -EBADF);
			return;
		}
		*slot = which;
	} else if (type == VFIO_IRQ_SET_DATA_NONE || *(u8 *)data) {
		model_signal(*slot);
	}
	assert_int_equal(ret, 0);
}

/* VFIO_IRQ_SET_ACTION_TRIGGER, whatever the index and the data */
static void step_trigger(u64 *seed)
{
	static const u32 types[] = {
		VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE, VFIO_IRQ_SET_DATA_BOOL,
	};
	u32 type = types[unit_below(seed, 8) ? 0 : unit_below(seed, 3)];
	u32 index = unit_below(seed, 4) && m.active != NONE ? m.active : unit_below(seed, NONE);
	u32 start = unit_below(seed, counts[index]);
	u32 count = unit_below(seed, 8) ? 1 + unit_below(seed, counts[index] - start) : 0;
	bool bad = false;
	s32 data[MAX_VEC];
	int which[MAX_VEC], ret;
	u32 i;

	if (!count)
		type = VFIO_IRQ_SET_DATA_NONE;
	for (i = 0; i < count; i++) {
		which[i] = (int)unit_below(seed, NUM_FDS + 1) - 1;
		data[i] = which[i] < 0 ? -1 : fds[which[i]];
		if (!unit_below(seed, 40)) {
			data[i] = BAD_FD;
			bad = true;
		}
	}
	if (type == VFIO_IRQ_SET_DATA_BOOL)
		for (i = 0; i < count; i++)
			((u8 *)data)[i] = unit_below(seed, 2);
	if (index == ERRX || index == REQX)
		return step_set_single(seed, index, count, type, data, which[0]);

	ret = mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_ACTION_TRIGGER | type, index, start, count, data);
	if (m.active != index && m.active != NONE) {
		assert_int_equal(ret, -EINVAL);
	} else if (!count) {
		assert_int_equal(ret, 0);
		model_disable();
	} else if (type == VFIO_IRQ_SET_DATA_EVENTFD) {
		assert_int_equal(ret, bad ? -EBADF : 0);
		if (bad)
			return;
		m.active = index;
		for (i = 0; i < count; i++)
			m.trigger[start + i] = which[i];
	} else if (m.active == NONE) {
		assert_int_equal(ret, -EINVAL);
	} else {
		assert_int_equal(ret, 0);
		for (i = 0; i < count; i++)
			if (type == VFIO_IRQ_SET_DATA_NONE || ((u8 *)data)[i])
				model_signal(m.trigger[start + i]);
	}
}

static void step_mask(u64 *seed)
{
	u32 index = unit_below(seed, 8) && m.active != NONE ? m.active : unit_below(seed, NONE);
	u32 start = unit_below(seed, counts[index]);
	u32 count = 1 + unit_below(seed, counts[index] - start), i;
	bool bools = unit_below(seed, 2), mask = !unit_below(seed, 3);
	u8 chosen[MAX_VEC];
	int ret;

	for (i = 0; i < count; i++)
		chosen[i] = !bools || unit_below(seed, 2);
	ret = mvgpu_irqs_set(&irqs, (mask ? VFIO_IRQ_SET_ACTION_MASK : VFIO_IRQ_SET_ACTION_UNMASK) |
			     (bools ? VFIO_IRQ_SET_DATA_BOOL : VFIO_IRQ_SET_DATA_NONE),
			     index, start, count, bools ? chosen : NULL);
	if (index == ERRX || index == REQX) {
		assert_int_equal(ret, -ENOTTY);
		return;
	}
	assert_int_equal(ret, m.active == index ? 0 : -EINVAL);
	for (i = 0; !ret && i < count; i++)
		if (chosen[i])
			m.masked[start + i] = mask;
}

static void step_unmask_eventfd(u64 *seed)
{
	s32 fd = unit_below(seed, 3) ? eoi : -1;
	int ret;

	if (m.armed && unit_below(seed, 3)) {
		shim_eventfd_write(eoi);
		shim_run_work(~0u);
		m.masked[0] = false;
		return;
	}
	ret = set(UNMASK, EVENTFD, INTX, 0, 1, &fd);
	if (m.active != INTX) {
		assert_int_equal(ret, -EINVAL);
	} else if (fd == -1) {
		assert_int_equal(ret, 0);
		m.armed = false;
	} else {
		assert_int_equal(ret, m.armed ? -EBUSY : 0);
		m.armed = true;
	}
}

static void step_request(u64 *seed)
{
	(void)seed;
	assert_int_equal(mvgpu_irqs_request(&irqs), m.req >= 0);
	if (m.req >= 0)
		m.signals[m.req]++;
}

static void step_lower(u64 *seed)
{
	(void)seed;
	mvgpu_irqs_lower(&irqs);
	m.level = false;
}

static void step_close(u64 *seed)
{
	if (unit_below(seed, 20))
		return;
	mvgpu_irqs_close(&irqs);
	model_disable();
	m.err = -1;
	m.req = -1;
	assert_int_equal(shim_eventfd_all_refs(), 0);
}

static void compare(void)
{
	u32 msi = 0, pba[2] = { 0 }, got;
	int refs[NUM_FDS] = { 0 };
	bool intx;
	int i;

	for (i = 0; i < MAX_VEC; i++) {
		if (m.trigger[i] >= 0)
			refs[m.trigger[i]]++;
		if (m.pending[i] && m.active == MSI)
			msi |= 1u << i;
		if (m.pending[i] && m.active == MSIX)
			pba[i / 32] |= 1u << i % 32;
	}
	if (m.err >= 0)
		refs[m.err]++;
	if (m.req >= 0)
		refs[m.req]++;
	for (i = 0; i < NUM_FDS; i++) {
		assert_int_equal(signals(fds[i]), m.signals[i]);
		assert_int_equal(shim_eventfd_refs(fds[i]), refs[i]);
	}
	assert_int_equal(shim_eventfd_refs(eoi), m.armed);
	mvgpu_irqs_pending(&irqs, &intx, &got);
	assert_int_equal(intx, m.level);
	assert_int_equal(got, msi);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 0), pba[0]);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 4), pba[1]);
	assert_int_equal(mvgpu_irqs_delivered(&irqs), m.delivered);
}

static void random_walk(void **state)
{
	static const struct {
		void (*step)(u64 *seed);
		unsigned int weight;
	} steps[] = {
		{ step_raise, 12 }, { step_lower, 4 }, { step_gate, 6 }, { step_table, 5 },
		{ step_trigger, 6 }, { step_mask, 6 }, { step_unmask_eventfd, 4 },
		{ step_reset, 1 }, { step_request, 1 }, { step_close, 1 },
	};
	u64 seed = unit_seed("random_walk"), busy[NONE + 1] = { 0 };
	unsigned int i, pick, total = 0;
	int n;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		total += steps[i].weight;
	for (i = 0; i < NUM_FDS; i++)
		fds[i] = shim_eventfd();
	eoi = shim_eventfd();
	memset(&m, 0, sizeof(m));
	model_disable();
	m.err = -1;
	m.req = -1;
	for (i = 0; i < NUM_MSIX; i++)
		m.table[i][3] = 1;

	for (n = 0; n < 50000; n++) {
		pick = unit_below(&seed, total);
		for (i = 0; pick >= steps[i].weight; i++)
			pick -= steps[i].weight;
		steps[i].step(&seed);
		model_settle();
		compare();
		busy[m.active]++;
	}
	/* The walk came around */
	for (i = INTX; i <= MSIX; i++)
		assert_true(busy[i] > 1000);
	assert_true(m.delivered > 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
