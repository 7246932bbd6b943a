/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MVGPU_CONFIG_H
#define MVGPU_CONFIG_H

#include <linux/types.h>
#include "mvgpu.h"

#define MVGPU_CONFIG_SIZE	256
#define MVGPU_CONFIG_EXT_SIZE	4096
#define MVGPU_NUM_BARS		6

/* What a write to configuration space changed, for the device to act upon */
#define MVGPU_CONFIG_DECODE	BIT(0)	/* memory decoding or the power state */
#define MVGPU_CONFIG_IRQ	BIT(1)	/* something that gates interrupts */
#define MVGPU_CONFIG_FLR	BIT(2)	/* a function level reset was asked for */

/**
 * struct mvgpu_config - one function's PCI configuration space
 * @val: what a read returns
 * @wmask: bits that a write stores
 * @w1c: bits that a write of one clears
 * @init: power-on contents
 * @bar_size: bytes per BAR, 0 if absent; the upper half of a 64-bit BAR is 0
 * @last_cap: where the capability list ends; holds the link to be filled next
 * @free: first byte that no capability occupies
 * @pm: offset of the power-management capability, 0 if absent
 * @pcie: offset of the PCI Express capability, 0 if absent
 * @msi: offset of the MSI capability, 0 if absent
 * @msix: offset of the MSI-X capability, 0 if absent
 */
struct mvgpu_config {
	u8 val[MVGPU_CONFIG_SIZE];
	u8 wmask[MVGPU_CONFIG_SIZE];
	u8 w1c[MVGPU_CONFIG_SIZE];
	u8 init[MVGPU_CONFIG_SIZE];
	u64 bar_size[MVGPU_NUM_BARS];
	u8 last_cap;
	u16 free;
	u8 pm;
	u8 pcie;
	u8 msi;
	u8 msix;
};

/* What configuration space says about interrupts */
struct mvgpu_config_gate {
	bool intx_off;
	bool msg_off;
	bool msix_masked;
	u32 msi_mask;
};

void mvgpu_config_init(struct mvgpu_config *cfg);
void mvgpu_config_set_ids(struct mvgpu_config *cfg, const struct mvgpu_pci_ids *ids);
int mvgpu_config_add_bar(struct mvgpu_config *cfg, unsigned int bar, u64 size, u32 flags);
int mvgpu_config_add_intx(struct mvgpu_config *cfg);
int mvgpu_config_add_pm(struct mvgpu_config *cfg);
int mvgpu_config_add_pcie(struct mvgpu_config *cfg);
int mvgpu_config_add_msi(struct mvgpu_config *cfg, unsigned int vectors);
int mvgpu_config_add_msix(struct mvgpu_config *cfg, unsigned int vectors,
			  unsigned int bar, u32 table, u32 pba);
int mvgpu_config_add_vendor(struct mvgpu_config *cfg, const void *data, u8 len);
int mvgpu_config_add_active(struct mvgpu_config *cfg, const void *data, const void *writable,
			    u8 len);
void mvgpu_config_seal(struct mvgpu_config *cfg);
void mvgpu_config_reset(struct mvgpu_config *cfg);

u32 mvgpu_config_read(const struct mvgpu_config *cfg, u16 offset, unsigned int size);
u32 mvgpu_config_write(struct mvgpu_config *cfg, u16 offset, unsigned int size, u32 val);
u16 mvgpu_config_size(const struct mvgpu_config *cfg);
bool mvgpu_config_decodes(const struct mvgpu_config *cfg);
void mvgpu_config_gate(const struct mvgpu_config *cfg, struct mvgpu_config_gate *gate);
void mvgpu_config_set_pending(struct mvgpu_config *cfg, bool intx, u32 msi);

#endif /* MVGPU_CONFIG_H */
