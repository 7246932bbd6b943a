// SPDX-License-Identifier: GPL-2.0-only
/* trace.c - the tracepoints themselves */
#include "tracker.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
