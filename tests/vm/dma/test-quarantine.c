// SPDX-License-Identifier: MIT
/*
 * Owns the test of hardware that does not get quiet, which takes a build of mvgpu-edu with
 * CONFIG_MVGPU_TEST_HANG: the VMM gets its memory back all the same, and not before it is safe.
 */
#include "engine.h"

#define CANARY 2

static void there_and_back(struct fixture *f)
{
	unsigned long charged = charged_pages();
	__u8 *p = memory(2 * PAGE);
	long long before;
	double took;

	engine_open(f);
	before = counter(f, "quarantines");
	map_iova(f, IOVA, p, PAGE, RW);
	map_iova(f, 2 * IOVA, p + PAGE, PAGE, RW);
	copy_start(f, IOVA, 2 * IOVA, PAGE, 0);
	usleep(300000);
	OK(copy_busy(f), "the engine does not hang: not the right build");
	took = -seconds_now();
	unmap_iova(f, IOVA, PAGE);
	took += seconds_now();
	fill(p, PAGE, CANARY);
	IDLE(f);
	diag("unmapping took %.2f s", took);
	OK(took > 0.9 && took < 8, "unmapping took %.2f s", took);
	/* they may leave before anybody could see them there */
	OK(counter(f, "quarantines") > before, "nothing was in quarantine");
	OK(copy_wait(f, 20), "the copy came to a good end");
	unmap_iova(f, 2 * IOVA, PAGE);
	IDLE(f);
	EQ(charged_pages(), charged);
	FILLED("memory that was taken away", p, PAGE, CANARY);
	fixture_close(f);
}

static const struct test tests[] = {
	{ "there and back", ON_NONE, there_and_back },
};

const struct group group_quarantine = GROUP("quarantine", tests);
