# SPDX-License-Identifier: MIT
#
# make -f tests/bench/native.mk [O=<folder>]: native-bench, from the kernel's sources as
# they are, optimised as the kernel is, behind the fast shim.

here	:= $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
top	:= $(abspath $(here)/../..)
kmod	:= $(here)/../vm/kmod
O	?= $(top)/build
override O := $(abspath $(O))/native
MDEV	?= $(top)/kernel/mdev

CPPFLAGS := -I$(here)/shim -I$(here)/../shim -I$(kmod) -I$(top)/kernel/include -I$(MDEV) \
	    -D_GNU_SOURCE -MMD -MP
CFLAGS	:= -std=gnu11 -O2 -g -fno-strict-aliasing -fno-common -fno-omit-frame-pointer \
	   -Wall -Wextra -Werror -Wno-sign-compare -Wno-unused-parameter \
	   -Wno-missing-field-initializers
# What is not called is left out, and what it would need
CFLAGS	+= -ffunction-sections
LDFLAGS	:= -Wl,--gc-sections
TRACKER	:= $(shell MAKEFLAGS= $(MAKE) -s -C $(here)/../unit show-TRACKER)
OBJS	:= $(patsubst %,$(O)/%.o,$(TRACKER) ancestor native-bench stats fast trees)

vpath %.c $(MDEV) $(here) $(here)/shim $(kmod)

$(O)/native-bench: $(OBJS)
	$(CC) $(LDFLAGS) -o $@ $^

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

-include $(OBJS:.o=.d)
