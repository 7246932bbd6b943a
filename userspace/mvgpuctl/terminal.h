/* SPDX-License-Identifier: MIT */
#ifndef MVGPUCTL_TERMINAL_H
#define MVGPUCTL_TERMINAL_H

#include <stdbool.h>
#include <time.h>

#define TERMINAL_END (-1)

void terminal_take(bool screen);
void terminal_size(unsigned int *lines, unsigned int *columns);
int terminal_wait(const struct timespec *limit);

#endif
