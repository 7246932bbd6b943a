/* SPDX-License-Identifier: MIT */
#ifndef MVGPUCTL_MAIN_H
#define MVGPUCTL_MAIN_H

#include "mvgpuctl.h"

extern const struct command *const commands[];
extern const unsigned int num_commands;

const struct command *command_named(const char *name);

#endif
