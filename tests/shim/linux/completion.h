/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_COMPLETION_H
#define SHIM_LINUX_COMPLETION_H

#include <linux/wait.h>

struct completion {
	wait_queue_head_t wait;
	unsigned int done;
};

void init_completion(struct completion *c);
void complete(struct completion *c);
void complete_all(struct completion *c);
void wait_for_completion(struct completion *c);

#define DECLARE_COMPLETION_ONSTACK(c)		\
	struct completion c;			\
						\
	init_completion(&c)

#endif /* SHIM_LINUX_COMPLETION_H */
