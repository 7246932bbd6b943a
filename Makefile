# SPDX-License-Identifier: MIT
# The kernel's build reads Kbuild, never this file. `make help` lists the targets.

O ?= build
KREL ?= $(shell uname -r)
# Without headers of the running kernel, those that are installed will do to compile.
KDIR ?= $(firstword $(wildcard /lib/modules/$(KREL)/build) \
	$(lastword $(sort $(wildcard /usr/src/linux-headers-*-amd64))))
utsrelease = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(1)/include/generated/utsrelease.h)
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
PROVISION := tests/vm/provision
VM_TESTS := $(sort $(wildcard tests/vm/*.t))
# IGT takes as long as most of the others together
IGT_TESTS := $(filter %-igt.t,$(VM_TESTS))
# They bring their own kernels and roots
HOST_TESTS := $(filter %-libvirt.t %-packages.t %-secure-boot.t,$(VM_TESTS))
CHAIN := $(filter-out $(IGT_TESTS) $(HOST_TESTS),$(VM_TESTS))
# What takes long, for check-full alone
LONG := %-guides.t %-suspend.t %-share.t %-revoke.t %-viommu.t %-life.t %-parent.t %-blob.t \
	%-adopt.t
# Debian suites, each of which builds and installs the packages
PACKAGE_TESTS := tests/deb.t
TESTS := $(filter-out $(PACKAGE_TESTS),$(sort $(wildcard tests/*.t tests/unit/*.t tests/fuzz/*.t))) \
	$(filter-out $(LONG),$(CHAIN))
KERNELS := 6.1 6.12 7.2 debug

LIB := $(O)/libmvgpu-vfio.a
LIB_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard userspace/lib/*.c))
# What the clients of VFIO have in common
CLIENT_OBJS := $(patsubst %,$(O)/tests/vm/client/%.o,options harness util event fault)
VFIO_TEST := $(O)/vfio-test
VFIO_TEST_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/vm/client/*.c))
DMA_TEST := $(O)/dma-test
DMA_TEST_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/vm/dma/*.c)) $(CLIENT_OBJS)
VIRTIO_TEST := $(O)/virtio-test
VIRTIO_TEST_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/vm/virtio/*.c)) \
	$(O)/tests/vm/dma/engine.o $(CLIENT_OBJS)
MVGPUCTL := $(O)/mvgpuctl
MVGPUCTL_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard userspace/mvgpuctl/*.c))
MVGPUCTL_NEEDS := libudev json-c libpng uuid libkmod
MVGPUCTL_PACKAGES := libjson-c-dev libkmod-dev libpng-dev libudev-dev pkg-config uuid-dev
BAR_BENCH := $(O)/bar-bench
BAR_BENCH_OBJS := $(O)/tests/bench/bar-bench.o
MAP_BENCH := $(O)/map-bench
MAP_BENCH_OBJS := $(O)/tests/bench/map-bench.o $(O)/tests/bench/stats.o
ALL_CFLAGS := $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror -pthread -MMD -Iuserspace/lib \
	-Ikernel/include

all: modules tools		## build the modules and the tools

modules:			## build the kernel modules for the running kernel (KREL=, KDIR=)
	@test -n "$(KDIR)" || { echo "no kernel headers: apt install linux-headers-amd64" >&2; exit 1; }
	@mkdir -p $(O)/modules
	cp -ru kernel/. $(O)/modules/
	$(MAKE) -C $(KDIR) M=$(abspath $(O)/modules) W=1 modules

tools: $(LIB) $(MVGPUCTL) $(VFIO_TEST) $(DMA_TEST) $(VIRTIO_TEST) $(BAR_BENCH) $(MAP_BENCH)	## build mvgpuctl, the VFIO client library, its testers, the benchmarks

$(LIB): $(LIB_OBJS)
	$(AR) rcs $@ $^

$(MVGPUCTL): $(MVGPUCTL_OBJS) $(LIB)
$(MVGPUCTL_OBJS): | mvgpuctl-needs
$(MVGPUCTL): LDLIBS = $(shell pkg-config --libs $(MVGPUCTL_NEEDS)) -lm
$(MVGPUCTL_OBJS): ALL_CFLAGS += -D_GNU_SOURCE $(shell pkg-config --cflags $(MVGPUCTL_NEEDS))
mvgpuctl-needs:
	@pkg-config --exists $(MVGPUCTL_NEEDS) || { echo "mvgpuctl needs its libraries:" \
		"apt install $(MVGPUCTL_PACKAGES)" >&2; exit 1; }

$(VFIO_TEST): $(VFIO_TEST_OBJS) $(LIB)
$(DMA_TEST): $(DMA_TEST_OBJS) $(LIB)
$(VIRTIO_TEST): $(VIRTIO_TEST_OBJS) $(LIB)
$(BAR_BENCH): $(BAR_BENCH_OBJS) $(LIB)
$(MAP_BENCH): $(MAP_BENCH_OBJS) $(LIB)
$(MAP_BENCH_OBJS): ALL_CFLAGS += -Itests/vm/kmod
$(MVGPUCTL) $(VFIO_TEST) $(DMA_TEST) $(VIRTIO_TEST) $(BAR_BENCH) $(MAP_BENCH):
	$(CC) $(LDFLAGS) -pthread -o $@ $^ $(LDLIBS)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

-include $(patsubst %.o,%.d,$(LIB_OBJS) $(MVGPUCTL_OBJS) $(VFIO_TEST_OBJS) $(DMA_TEST_OBJS) \
	$(VIRTIO_TEST_OBJS) $(BAR_BENCH_OBJS) $(MAP_BENCH_OBJS))

demo:				## two guests share one screen; leaves two screenshots
	@$(PROVISION) deps demo
	@tests/vm/demo

check:				## all the tests that fit into a coffee break
	@$(PROVISION) deps check
	@$(MAKE) --no-print-directory tools
	tests/run $(TESTS)

# The chain of VM tests once more on each kernel, with a Debian root that has QEMU 11; IGT
# on the newest
check-full: export FUZZ_SECONDS ?= 600
check-full: check		## every kernel, recent QEMU: the slower tests too
	@$(PROVISION) deps full
	@for k in $(KERNELS); do \
		echo "Linux $$k, QEMU 11"; \
		MVGPU_FULL=1 MVGPU_KERNEL=$$k MVGPU_ROOT=full tests/run $(CHAIN) || exit 1; \
	done
	MVGPU_FULL=1 MVGPU_KERNEL=7.2 MVGPU_ROOT=full tests/run $(IGT_TESTS)
	tests/run $(PACKAGE_TESTS) $(HOST_TESTS)
	@tests/vm/demo

bench:				## what direct BARs and mappings of guest memory are worth
	@$(PROVISION) deps check
	@$(MAKE) --no-print-directory tools
	@$(MAKE) --no-print-directory -f tests/bench/native.mk O=$(O)
	@tests/bench/bench
	@tests/bench/frame-bench

igt:				## IGT's generic tests on a vGPU, compared with QEMU's own device
	@$(PROVISION) deps check
	@tests/igt/igt

lint:				## W=1, sparse, checkpatch --strict and kernel-doc on all kernels
	@$(PROVISION) deps check
	tests/run tests/lint.t

docs:				## the guides in docs/ and the API reference as HTML, in build/docs
	@$(PROVISION) deps docs
	sphinx-build -q -E -W --keep-going -d $(O)/doctrees docs $(O)/docs

install: modules		## install the modules for the running kernel
	$(MAKE) -C $(KDIR) M=$(abspath $(O)/modules) modules_install
	depmod -b "$(or $(INSTALL_MOD_PATH),/)" $(call utsrelease,$(KDIR))

install-tools: $(MVGPUCTL)	## install mvgpuctl, its manual and completion (PREFIX=, DESTDIR=)
	install -D -m 755 $(MVGPUCTL) $(DESTDIR)$(PREFIX)/sbin/mvgpuctl
	install -D -m 644 userspace/mvgpuctl/mvgpuctl.8 $(DESTDIR)$(PREFIX)/share/man/man8/mvgpuctl.8
	install -D -m 644 userspace/mvgpuctl/mvgpuctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/mvgpuctl

# What a package is made of, in a folder of its own: the build writes below debian/
PACKAGED := debian docs kernel LICENSES tests userspace Kbuild Kconfig Makefile README.md
deb:				## build the Debian packages, into $(O)/deb
	@$(PROVISION) deps deb
	rm -rf $(O)/deb
	mkdir -p $(O)/deb/mvgpu
	tar -c $(PACKAGED) | tar -x -C $(O)/deb/mvgpu
	cd $(O)/deb/mvgpu && env -u O -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		DEB_BUILD_OPTIONS="noautodbgsym $(DEB_BUILD_OPTIONS)" dpkg-buildpackage -us -uc
	rm -rf $(O)/deb/mvgpu
	lintian --allow-root --fail-on error,warning $(O)/deb/*.changes

clean:				## remove what was built; the cache stays (tests/vm/provision clean)
	rm -rf $(O)

help:				## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

.PHONY: all modules tools mvgpuctl-needs demo check check-full bench igt lint docs install install-tools \
	deb clean help
