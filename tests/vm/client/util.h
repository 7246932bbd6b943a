/* SPDX-License-Identifier: MIT */
/*
 * What the tests of vfio-test do over and over: registers, faults, eventfds,
 * guarded buffers, and the programming model of the two vGPUs.
 */
#ifndef UTIL_H
#define UTIL_H

#include <linux/pci_regs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096UL

#define BAR0 VFIO_PCI_BAR0_REGION_INDEX
#define BAR2 VFIO_PCI_BAR2_REGION_INDEX
#define BAR4 VFIO_PCI_BAR4_REGION_INDEX
#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define GFX_REGION VFIO_PCI_NUM_REGIONS

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI VFIO_PCI_MSI_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define ERR VFIO_PCI_ERR_IRQ_INDEX
#define REQ VFIO_PCI_REQ_IRQ_INDEX

#define MASK VFIO_IRQ_SET_ACTION_MASK
#define UNMASK VFIO_IRQ_SET_ACTION_UNMASK
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER

/* The test vGPU: registers in BAR0 */
#define T_ID 0x00
#define T_ID_VALUE 0x7476676d
#define T_SCRATCH 0x04
#define T_RAISE 0x08
#define T_LOWER 0x0c
#define T_RESETS 0x10
#define T_SCRATCH64 0x18
#define T_SCRATCH8 0x20

/* The test vGPU: what of BAR2 can be mapped, and where BAR4 has its MSI-X parts */
#define T_BAR2_SIZE 0x100000UL
#define T_BAR2_MAPPED 0x80000UL
#define T_MSI_VECTORS 4
#define T_MSIX_VECTORS 8
#define T_MSIX_TABLE 0x000
#define T_MSIX_PBA 0x800

/* The bochs vGPU: BAR2 as QEMU's bochs-display has it */
#define B_EDID 0x000
#define B_VGA 0x400
#define B_VBE 0x500
#define B_QEXT_SIZE 0x600
#define B_QEXT_ENDIAN 0x604
#define B_LITTLE 0x1e1e1e1e
#define B_BIG 0xbebebebe

enum vbe { VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH,
	   VBE_VIRT_HEIGHT, VBE_X_OFFSET, VBE_Y_OFFSET, VBE_MEMORY_64K };

#define VBE_ENABLED 0x01
#define VBE_LFB 0x40

/* -------- fixture -------- */
void iommu_open(const struct env *env, struct vgpu_iommu **iommu);
void needs_container(const struct env *env);
void fixture_detach(struct fixture *f);
void fixture_open(struct fixture *f, const struct env *env, enum role role);
void fixture_attach(struct fixture *f);
void fixture_close(struct fixture *f);
const char *role_uuid(const struct env *env, enum role role);

/* -------- registers -------- */
ssize_t try_read(struct fixture *f, unsigned int region, __u64 pos, void *buf, size_t count);
ssize_t try_write(struct fixture *f, unsigned int region, __u64 pos, const void *buf,
		  size_t count);
__u64 reg_read(struct fixture *f, unsigned int region, __u64 pos, unsigned int width);
void reg_write(struct fixture *f, unsigned int region, __u64 pos, unsigned int width,
	       __u64 value);
__u32 cfg_read(struct fixture *f, __u32 pos, unsigned int width);
void cfg_write(struct fixture *f, __u32 pos, unsigned int width, __u32 value);
__u32 find_cap(struct fixture *f, __u8 id);
void command(struct fixture *f, __u16 set, __u16 clear);
void memory_on(struct fixture *f);
void memory_off(struct fixture *f);
bool bar_dead(struct fixture *f, unsigned int region, __u64 pos);

/* -------- faults -------- */
void catch_faults(void);
int touch_load(const void *p, unsigned int width, __u64 *value);
int touch_store(void *p, unsigned int width, __u64 value);
__u32 load32(const void *p);
void store32(void *p, __u32 value);
void *map_region(struct fixture *f, unsigned int region, __u64 pos, size_t size, int prot);
int try_map(struct fixture *f, unsigned int region, __u64 pos, size_t size, int prot, int flags,
	    void **ptr);
bool faults(const void *p);

/* -------- eventfds -------- */
int ev_new(void);
__u64 ev_take(int fd);
bool ev_wait(int fd, int ms);
void ev_write(int fd);
void expect_event(const char *file, int line, int fd);
void expect_quiet(const char *file, int line, int fd);

#define FIRES(fd) expect_event(__FILE__, __LINE__, fd)
#define QUIET(fd) expect_quiet(__FILE__, __LINE__, fd)

void arm(struct fixture *f, unsigned int index, unsigned int start, unsigned int count, int *fds);
void disarm(struct fixture *f, unsigned int index);

/* -------- raw ioctls -------- */
int dev_ioctl(struct fixture *f, unsigned long request, void *arg);
int set_irqs(struct fixture *f, __u32 argsz, __u32 flags, __u32 index, __u32 start, __u32 count,
	     const void *data, size_t data_size);
void *guarded(size_t size);

/* -------- the bochs vGPU's modes -------- */

/**
 * struct mode - what a driver programs into the VBE registers
 * @width: visible pixels in a line
 * @height: visible lines
 * @bpp: bits in a pixel
 * @virt_width: pixels from one line to the next
 * @x: first visible column
 * @y: first visible line
 */
struct mode {
	__u16 width;
	__u16 height;
	__u16 bpp;
	__u16 virt_width;
	__u16 x;
	__u16 y;
};

__u16 vbe_read(struct fixture *f, enum vbe reg);
void vbe_write(struct fixture *f, enum vbe reg, __u16 value);
void set_mode(struct fixture *f, const struct mode *mode);
void query_plane(struct fixture *f, struct vfio_device_gfx_plane_info *plane);

#endif
