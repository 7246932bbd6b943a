/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mvgpu.h - the vendor driver API of mvgpu
 *
 * A vendor driver knows one kind of GPU. It binds the physical device, hands it
 * to the framework as a parent with the types it offers, and describes the PCI
 * device that a guest sees. The framework is everything else: PCI configuration
 * space, BARs, interrupts, VFIO, memory mappings and the life cycle.
 *
 * Hooks that take a vGPU run in process context with that vGPU's lock held: they
 * may sleep, never run twice at once for one vGPU, and must not call anything
 * that waits for another hook of the same vGPU.
 */
#ifndef MVGPU_H
#define MVGPU_H

#include <linux/device.h>
#include <linux/dma-direction.h>
#include <linux/mdev.h>
#include <linux/pci.h>
#include <linux/types.h>

struct mvgpu;
struct mvgpu_mapping;
struct mvgpu_parent;

/**
 * struct mvgpu_type - a size of vGPU that a parent offers
 * @name: sysfs name; the kernel prefixes it with the parent's driver name
 * @pretty_name: what libvirt shows as the type's name
 * @vram: bytes of the parent's aperture that a vGPU of this type owns; a power
 *	of two of at least 64 KiB, or 0 where parents have no aperture
 * @heads: how many of the parent's heads it owns, where those are shared out
 * @memory: bytes of the parent's memory that it may fill, where that is shared out
 * @max_width: widest mode the type is meant for, in pixels, at most 4095
 * @max_height: tallest mode the type is meant for, in pixels, at most 4095
 */
struct mvgpu_type {
	const char *name;
	const char *pretty_name;
	u64 vram;
	u8 heads;
	u64 memory;
	u16 max_width;
	u16 max_height;
};

/**
 * struct mvgpu_aperture - the part of a parent's physical memory to be carved
 * @start: physical address of the memory BAR, page aligned
 * @size: bytes that the BAR offers
 * @reserved: bytes at the start that no vGPU ever gets, a multiple of 64 KiB
 */
struct mvgpu_aperture {
	phys_addr_t start;
	u64 size;
	u64 reserved;
};

#define MVGPU_MAX_HEADS		64

/**
 * struct mvgpu_budget - what a parent has for its vGPUs
 * @aperture: memory to carve, size 0 if there is none
 * @heads: heads to share out, at most MVGPU_MAX_HEADS; 0 if none are
 * @memory: bytes of memory to share out, 0 if it is not; operators can change it
 * @vgpus: how many vGPUs there can be if there is no aperture
 */
struct mvgpu_budget {
	struct mvgpu_aperture aperture;
	unsigned int heads;
	u64 memory;
	unsigned int vgpus;
};

/**
 * struct mvgpu_scanout - the picture that a vGPU's head shows
 * @format: DRM fourcc of the pixels
 * @bpp: bits per pixel, as the guest's mode calls it
 * @width: visible pixels per line
 * @height: visible lines
 * @stride: bytes from one line to the next
 * @offset: bytes to the first pixel, from the start of the vGPU's slice or of @mapping
 * @mapping: guest memory that holds the picture, by mvgpu_scanout_memory(); NULL if it is
 *	in the slice
 */
struct mvgpu_scanout {
	u32 format;
	u32 bpp;
	u32 width;
	u32 height;
	u32 stride;
	u64 offset;
	struct mvgpu_mapping *mapping;
};

/**
 * struct mvgpu_pci_ids - identity of the virtual PCI function
 * @vendor: vendor ID
 * @device: device ID
 * @subsystem_vendor: subsystem vendor ID
 * @subsystem: subsystem ID
 * @class: class code, 24 bits: base class, subclass, programming interface
 * @revision: revision ID
 */
struct mvgpu_pci_ids {
	u16 vendor;
	u16 device;
	u16 subsystem_vendor;
	u16 subsystem;
	u32 class;
	u8 revision;
};

/**
 * struct mvgpu_bar_ops - how a trapped BAR behaves
 * @min_access: smallest access in bytes that reaches the hooks (1, 2, 4 or 8);
 *	smaller ones fail with EINVAL
 * @max_access: largest access in bytes that reaches the hooks; larger ones are
 *	split
 * @read: return the value of @size bytes at @offset, in CPU byte order; NULL for 0
 * @write: take the value of @size bytes at @offset, in CPU byte order; NULL to ignore it
 *
 * Accesses are naturally aligned and lie inside the BAR.
 */
struct mvgpu_bar_ops {
	u8 min_access;
	u8 max_access;
	u64 (*read)(struct mvgpu *vgpu, u64 offset, unsigned int size);
	void (*write)(struct mvgpu *vgpu, u64 offset, unsigned int size, u64 val);
};

/**
 * struct mvgpu_cap_ops - what a vendor-specific capability does that is more than data
 * @access: the guest has written to it from byte @offset on if @write; else it is about to
 *	read from there: bring it up to date
 *
 * @cap is the capability as the guest sees it, from its header on. Accesses have at most 4
 * bytes, are naturally aligned, and reach the hook whether or not the BARs answer.
 */
struct mvgpu_cap_ops {
	void (*access)(struct mvgpu *vgpu, void *cap, unsigned int offset, bool write);
};

#define MVGPU_BAR_64BIT		BIT(0)	/* takes two BAR registers */
#define MVGPU_BAR_PREFETCH	BIT(1)

/**
 * struct mvgpu_area - a part of a BAR
 * @offset: bytes from the start of the BAR, page aligned
 * @size: bytes, page aligned
 */
struct mvgpu_area {
	u64 offset;
	u64 size;
};

/**
 * MVGPU_PCI_ID - an entry of mvgpu_driver.pci_ids
 * @vendor: vendor ID
 * @device: device ID
 *
 * Only a driver_override binds such a device. Don't use MODULE_DEVICE_TABLE(): nothing
 * may load the driver by itself.
 */
#define MVGPU_PCI_ID(vendor, device) \
	PCI_DEVICE_DRIVER_OVERRIDE(vendor, device, PCI_ID_F_VFIO_DRIVER_OVERRIDE)

/**
 * struct mvgpu_driver - a vendor driver
 * @name: name of the driver on the PCI and mdev buses
 * @pci_ids: the physical GPUs that it drives, entries made with MVGPU_PCI_ID(). NULL if
 *	they are on another bus: then the vendor driver binds them itself, registers their
 *	PCI devices as parents, and unregisters them.
 * @probe: an operator has handed a GPU over: bring it up and return what
 *	mvgpu_register_parent() returns, or an ERR_PTR. The device is enabled, its memory
 *	BARs are requested; what is devm-managed is undone when it goes.
 * @types: the types that its parents offer
 * @num_types: entries in @types
 * @weighted: vGPUs compete for the GPU's time, by mvgpu_weight()
 * @priv_size: bytes of zeroed private data per vGPU, see mvgpu_priv()
 * @init: declare the vGPU's PCI device with the mvgpu_add_*() builders; called
 *	once per vGPU before anything else
 * @fini: the opposite of @init and the last call for a vGPU: stop what still runs for
 *	it. No VMM has it open any more. May be NULL.
 * @reset: bring the device model back to its power-on state
 * @scanout: say what the vGPU's first head shows. 0 with @so filled in, -ENODEV if the
 *	head is off, -EINVAL if the guest asked for a picture that its slice can't
 *	hold (the head keeps what it shows). Called after mvgpu_scanout_changed() and
 *	whenever the VMM looks. NULL if the device has no head.
 * @present: make the physical screen show @so, whose first pixel lies @base bytes
 *	into the parent's aperture, or nothing if @so is NULL. -ERANGE if the
 *	hardware can't reach it (the screen then shows nothing). Called with the
 *	parent's screen lock held; may sleep. NULL if vGPUs don't share a screen.
 * @quiesce: a revoke callback has not returned within a second: reset as much of the
 *	hardware as it takes for no DMA of this vGPU to be under way any more. 0 once that
 *	is certain; after an errno the memory stays put until the revoke callback returns.
 *	The hardware must not be told again of what mvgpu_mapping_revoked() then says.
 *	Runs without the vGPU's lock and beside other hooks; may sleep. NULL if it can't be.
 * @resume: the host has been suspended, and the hardware may have forgotten everything:
 *	bring it up as @probe did. Then the framework gives it its memory back, and its screen
 *	by @present. Nothing else runs meanwhile but what is on workqueues that are not
 *	freezable: all that uses the hardware is to be on freezable ones. May be NULL.
 */
struct mvgpu_driver {
	const char *name;
	const struct pci_device_id *pci_ids;
	struct mvgpu_parent *(*probe)(struct pci_dev *pdev, struct mvgpu_driver *drv);
	const struct mvgpu_type *types;
	unsigned int num_types;
	bool weighted;
	size_t priv_size;
	int (*init)(struct mvgpu *vgpu);
	void (*fini)(struct mvgpu *vgpu);
	void (*reset)(struct mvgpu *vgpu);
	int (*scanout)(struct mvgpu *vgpu, struct mvgpu_scanout *so);
	int (*present)(struct mvgpu_parent *parent, const struct mvgpu_scanout *so, u64 base);
	int (*quiesce)(struct mvgpu *vgpu);
	void (*resume)(struct mvgpu_parent *parent);
	/* private: owned by the framework */
	struct mdev_driver mdev;
	struct pci_driver pci;
};

/* Drivers and parents */
int __mvgpu_register_driver(struct mvgpu_driver *drv, struct module *owner,
			    const char *mod_name);
void mvgpu_unregister_driver(struct mvgpu_driver *drv);

/**
 * mvgpu_register_driver() - announce a vendor driver
 * @drv: the driver; must outlive mvgpu_unregister_driver()
 *
 * Context: process context, may sleep.
 * Return: 0, -EINVAL if @drv is incomplete, or an errno of the mdev bus.
 */
#define mvgpu_register_driver(drv) \
	__mvgpu_register_driver(drv, THIS_MODULE, KBUILD_MODNAME)

/**
 * module_mvgpu_driver() - module_init() and module_exit() of a vendor driver
 * @drv: its struct mvgpu_driver
 */
#define module_mvgpu_driver(drv) \
	module_driver(drv, mvgpu_register_driver, mvgpu_unregister_driver)

struct mvgpu_parent *mvgpu_register_parent(struct device *dev, struct mvgpu_driver *drv,
					   const struct mvgpu_budget *budget, void *priv);
void mvgpu_unregister_parent(struct mvgpu_parent *parent);
void *mvgpu_parent_priv(struct mvgpu_parent *parent);

/*
 * GPUs on buses without driver_override: device_driver.groups of the driver that binds them,
 * for operators to hand them over by
 */
extern const struct attribute_group *mvgpu_adopt_groups[];
bool mvgpu_adopted(struct device *dev);

/* Builders, only inside mvgpu_driver.init */
int mvgpu_set_ids(struct mvgpu *vgpu, const struct mvgpu_pci_ids *ids);
int mvgpu_add_bar(struct mvgpu *vgpu, unsigned int bar, u64 size, u32 flags,
		  const struct mvgpu_bar_ops *ops);
int mvgpu_add_slice_bar(struct mvgpu *vgpu, unsigned int bar, u32 flags,
			const struct mvgpu_area *areas, unsigned int num_areas);
int mvgpu_add_intx(struct mvgpu *vgpu);
int mvgpu_add_msi(struct mvgpu *vgpu, unsigned int vectors);
int mvgpu_add_msix(struct mvgpu *vgpu, unsigned int vectors, unsigned int bar,
		   u32 table, u32 pba);
int mvgpu_add_pm(struct mvgpu *vgpu);
int mvgpu_add_pcie(struct mvgpu *vgpu);
int mvgpu_add_vendor_cap(struct mvgpu *vgpu, const void *data, u8 len);
int mvgpu_add_active_cap(struct mvgpu *vgpu, const void *data, const void *writable, u8 len,
			 const struct mvgpu_cap_ops *ops);

/*
 * Guest memory (the tracker)
 *
 * A vendor driver never pins. It asks for a guest buffer to be mapped and gets DMA
 * addresses that its GPU can use until it unmaps the buffer or until its revoke callback
 * has returned, whichever comes first.
 */

/**
 * enum mvgpu_dma_mode - where DMA addresses come from
 * @MVGPU_DMA_API: the DMA API of the declared device, with an IOMMU or without
 * @MVGPU_DMA_BYPASS: they are physical addresses, because the device bypasses the
 *	platform's IOMMU by its own contract (virtio without VIRTIO_F_ACCESS_PLATFORM)
 */
enum mvgpu_dma_mode {
	MVGPU_DMA_API,
	MVGPU_DMA_BYPASS,
};

/**
 * struct mvgpu_range - a part of the guest's memory as the guest names it
 * @iova: address that the guest gave the device
 * @len: bytes, not 0
 */
struct mvgpu_range {
	u64 iova;
	u64 len;
};

/**
 * struct mvgpu_segment - a part of the guest's memory as the GPU must be told
 * @addr: DMA address
 * @len: bytes
 */
struct mvgpu_segment {
	dma_addr_t addr;
	u64 len;
};

struct mvgpu_window;

/* Inside mvgpu_driver.init; without it: the DMA API of the parent's device */
int mvgpu_set_dma(struct mvgpu *vgpu, struct device *dev, enum mvgpu_dma_mode mode);

struct mvgpu_mapping *mvgpu_map(struct mvgpu *vgpu, const struct mvgpu_range *ranges,
				unsigned int n, enum dma_data_direction dir,
				void (*revoke)(struct mvgpu_mapping *mapping, void *priv),
				void *priv);
void mvgpu_unmap(struct mvgpu_mapping *mapping);
const struct mvgpu_segment *mvgpu_mapping_segments(const struct mvgpu_mapping *mapping,
						   unsigned int *n);
bool mvgpu_mapping_revoked(const struct mvgpu_mapping *mapping);
void mvgpu_mapping_dirty(struct mvgpu_mapping *mapping, u64 offset, u64 len);
void mvgpu_scanout_memory(struct mvgpu_scanout *so, struct mvgpu_mapping *mapping);
/* The CPU's access: copies, and windows for what is used again and again */
int mvgpu_guest_read(struct mvgpu *vgpu, u64 iova, void *buf, size_t len);
int mvgpu_guest_write(struct mvgpu *vgpu, u64 iova, const void *buf, size_t len);
int mvgpu_guest_gather(struct mvgpu *vgpu, const struct mvgpu_range *ranges, unsigned int n,
		       u64 offset, void *buf, size_t len);
int mvgpu_guest_scatter(struct mvgpu *vgpu, const struct mvgpu_range *ranges, unsigned int n,
			u64 offset, const void *buf, size_t len);
struct mvgpu_window *mvgpu_window_open(struct mvgpu *vgpu, u64 iova, size_t len,
				       enum dma_data_direction dir);
void mvgpu_window_close(struct mvgpu_window *w);
void *mvgpu_window_get(struct mvgpu_window *w);
void mvgpu_window_put(struct mvgpu_window *w);
/* End of guest memory */

/* The vGPU at run time */
void *mvgpu_priv(struct mvgpu *vgpu);
const struct mvgpu_type *mvgpu_type(struct mvgpu *vgpu);
struct mvgpu_parent *mvgpu_parent(struct mvgpu *vgpu);
struct device *mvgpu_dev(struct mvgpu *vgpu);
int mvgpu_head(struct mvgpu *vgpu, unsigned int n);
unsigned int mvgpu_weight(struct mvgpu *vgpu);
void mvgpu_count(struct mvgpu *vgpu, u64 commands, u64 bytes, u64 ns);
void mvgpu_irq_raise(struct mvgpu *vgpu, unsigned int vector);
void mvgpu_irq_lower(struct mvgpu *vgpu);
void mvgpu_scanout_changed(struct mvgpu *vgpu);

#define MVGPU_EDID_SIZE		128
#define MVGPU_EDID_MAX		4095	/* pixels that a detailed timing can name */
void mvgpu_edid(u8 edid[MVGPU_EDID_SIZE], u16 width, u16 height, u32 serial);

#define MVGPU_EDID_ROOM		1024	/* bytes of the longest that is passed on */

/**
 * struct mvgpu_monitor - a physical monitor
 * @size: bytes of its EDID, 0 without one
 * @edid: what it says of itself, see mvgpu_monitor_set()
 */
struct mvgpu_monitor {
	u32 size;
	u8 edid[MVGPU_EDID_ROOM];
};

bool mvgpu_monitor_set(struct mvgpu_monitor *monitor, const u8 edid[MVGPU_EDID_ROOM], u32 size);
u32 mvgpu_monitor_edid(const struct mvgpu_monitor *monitor, u8 edid[MVGPU_EDID_ROOM],
		       u16 width, u16 height, u32 serial);

#endif /* MVGPU_H */
