// SPDX-License-Identifier: MIT
/*
 * Owns the test of hardware that does not get quiet, which takes a build of mvgpu-edu with
 * CONFIG_MVGPU_TEST_HANG: the VMM gets its memory back all the same, and not before it is safe.
 */
#include <errno.h>
#include <pthread.h>

#include "engine.h"

#define CANARY 2

static struct {
	struct fixture *f;
	bool stop;
	long long most;
} watch;

static void *watcher(void *arg)
{
	long long now;

	(void)arg;
	while (!__atomic_load_n(&watch.stop, __ATOMIC_SEQ_CST)) {
		now = counter(watch.f, "quarantined");
		if (now > watch.most)
			watch.most = now;
	}
	return NULL;
}

static void there_and_back(struct fixture *f)
{
	unsigned long charged = charged_pages();
	__u8 *p = memory(2 * PAGE);
	pthread_t thread;
	double took;

	engine_open(f);
	watch.f = f;
	map_iova(f, IOVA, p, PAGE, RW);
	map_iova(f, 2 * IOVA, p + PAGE, PAGE, RW);
	copy_start(f, IOVA, 2 * IOVA, PAGE, 0);
	usleep(300000);
	OK(copy_busy(f), "the engine does not hang: not the right build");
	EQ(pthread_create(&thread, NULL, watcher, NULL), 0);
	took = -seconds_now();
	unmap_iova(f, IOVA, PAGE);
	took += seconds_now();
	fill(p, PAGE, CANARY);
	IDLE(f);
	__atomic_store_n(&watch.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	diag("unmapping took %.2f s, %lld pages were seen in quarantine", took, watch.most);
	OK(took > 0.9 && took < 8, "unmapping took %.2f s", took);
	if (counter(f, "quarantines") >= 0)
		OK(counter(f, "quarantines") > 0, "nothing was in quarantine");
	else
		OK(watch.most > 0, "nothing was in quarantine");
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
