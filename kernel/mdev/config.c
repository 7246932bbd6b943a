// SPDX-License-Identifier: GPL-2.0-only
/*
 * config.c - struct mvgpu_config, the virtual PCI configuration space
 *
 * Every byte has a value, the bits a guest may store and the bits a guest clears
 * by writing one. BAR sizing, read-only fields and reserved bits all follow from
 * these masks; only the few registers with side effects are looked at by name.
 * Portable: knows neither VFIO nor locks. The caller serialises.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/pci_regs.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include "compat.h"
#include "config.h"

#define CONFIG_FIRST_CAP	0x40
#define PM_CAP_SIZE		8
#define MSI_CAP_SIZE		24	/* 64-bit address, per-vector masking */
#define MSI_PENDING		20
#define MSIX_CAP_SIZE		12
#define PCIE_CAP_SIZE		0x3c	/* version 2 */
#define LNKCAP_ASPM_OPTIONAL	BIT(22)	/* set by every device since PCIe 3.0 */

static u16 get16(const struct mvgpu_config *cfg, unsigned int reg)
{
	return get_unaligned_le16(&cfg->val[reg]);
}

static void field16(struct mvgpu_config *cfg, unsigned int reg, u16 val, u16 wmask)
{
	put_unaligned_le16(val, &cfg->val[reg]);
	put_unaligned_le16(wmask, &cfg->wmask[reg]);
}

static void field32(struct mvgpu_config *cfg, unsigned int reg, u32 val, u32 wmask)
{
	put_unaligned_le32(val, &cfg->val[reg]);
	put_unaligned_le32(wmask, &cfg->wmask[reg]);
}

/* PCI 3.0, 6.2: the registers that every type 0 header has */
void mvgpu_config_init(struct mvgpu_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	field16(cfg, PCI_COMMAND, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	put_unaligned_le16(PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT |
			   PCI_STATUS_REC_TARGET_ABORT | PCI_STATUS_REC_MASTER_ABORT |
			   PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY,
			   &cfg->w1c[PCI_STATUS]);
	cfg->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	cfg->wmask[PCI_INTERRUPT_LINE] = 0xff;
	cfg->last_cap = PCI_CAPABILITY_LIST;
	cfg->free = CONFIG_FIRST_CAP;
}

void mvgpu_config_set_ids(struct mvgpu_config *cfg, const struct mvgpu_pci_ids *ids)
{
	field16(cfg, PCI_VENDOR_ID, ids->vendor, 0);
	field16(cfg, PCI_DEVICE_ID, ids->device, 0);
	field32(cfg, PCI_CLASS_REVISION, ids->class << 8 | ids->revision, 0);
	field16(cfg, PCI_SUBSYSTEM_VENDOR_ID, ids->subsystem_vendor, 0);
	field16(cfg, PCI_SUBSYSTEM_ID, ids->subsystem, 0);
}

/* An upper half has no size but writable bits; a lower one of 4 GiB has only the former */
static bool bar_taken(const struct mvgpu_config *cfg, unsigned int bar)
{
	return cfg->bar_size[bar] ||
	       get_unaligned_le32(&cfg->wmask[PCI_BASE_ADDRESS_0 + bar * 4]);
}

/**
 * mvgpu_config_add_bar() - declare a memory BAR
 * @cfg: configuration space, not sealed yet
 * @bar: index of the BAR, of the lower half for a 64-bit one
 * @size: bytes, a power of two of at least one page (PCI 3.0, 6.2.5.1)
 * @flags: MVGPU_BAR_*
 *
 * Return: 0, -EINVAL for a size or an index that can't be, -EBUSY if taken.
 */
int mvgpu_config_add_bar(struct mvgpu_config *cfg, unsigned int bar, u64 size, u32 flags)
{
	bool wide = flags & MVGPU_BAR_64BIT;
	unsigned int reg = PCI_BASE_ADDRESS_0 + bar * 4;
	u32 type = PCI_BASE_ADDRESS_SPACE_MEMORY;

	if (bar >= MVGPU_NUM_BARS - wide || size < 4096 || !is_power_of_2(size) ||
	    (!wide && size > SZ_2G))
		return -EINVAL;
	if (bar_taken(cfg, bar) || (wide && bar_taken(cfg, bar + 1)))
		return -EBUSY;

	if (wide)
		type |= PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (flags & MVGPU_BAR_PREFETCH)
		type |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	field32(cfg, reg, type, lower_32_bits(~(size - 1)));
	if (wide)
		field32(cfg, reg + 4, 0, upper_32_bits(~(size - 1)));
	cfg->bar_size[bar] = size;
	return 0;
}

int mvgpu_config_add_intx(struct mvgpu_config *cfg)
{
	if (cfg->val[PCI_INTERRUPT_PIN])
		return -EBUSY;
	cfg->val[PCI_INTERRUPT_PIN] = 1;
	return 0;
}

/* Link a capability of @size bytes into the list. Returns its offset or an errno. */
static int add_cap(struct mvgpu_config *cfg, u8 id, unsigned int size)
{
	unsigned int pos = cfg->free;

	if (pos + size > MVGPU_CONFIG_SIZE)
		return -ENOSPC;
	cfg->val[cfg->last_cap] = pos;
	cfg->val[pos + PCI_CAP_LIST_ID] = id;
	cfg->val[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	cfg->last_cap = pos + PCI_CAP_LIST_NEXT;
	cfg->free = ALIGN(pos + size, 4);
	return pos;
}

/*
 * PCI Power Management 1.2, 3.2: D0 and D3hot. No_Soft_Reset is set, so a guest
 * that comes back from D3hot finds the device as it left it.
 */
int mvgpu_config_add_pm(struct mvgpu_config *cfg)
{
	int pos;

	if (cfg->pm)
		return -EBUSY;
	pos = add_cap(cfg, PCI_CAP_ID_PM, PM_CAP_SIZE);
	if (pos < 0)
		return pos;
	cfg->pm = pos;
	field16(cfg, pos + PCI_PM_PMC, 3, 0);
	field16(cfg, pos + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET, PCI_PM_CTRL_STATE_MASK);
	return 0;
}

/* PCI Express 4.0, 7.5.3: a x1 endpoint that can do a function level reset */
int mvgpu_config_add_pcie(struct mvgpu_config *cfg)
{
	int pos;

	if (cfg->pcie)
		return -EBUSY;
	pos = add_cap(cfg, PCI_CAP_ID_EXP, PCIE_CAP_SIZE);
	if (pos < 0)
		return pos;
	cfg->pcie = pos;
	field16(cfg, pos + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4, 0);
	field32(cfg, pos + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR, 0);
	field16(cfg, pos + PCI_EXP_DEVCTL,
		PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B,
		PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
		PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD |
		PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ);
	cfg->w1c[pos + PCI_EXP_DEVSTA] = PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED |
					 PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD;
	field32(cfg, pos + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4 |
		LNKCAP_ASPM_OPTIONAL, 0);
	field16(cfg, pos + PCI_EXP_LNKCTL, 0,
		PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
	field16(cfg, pos + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1, 0);
	field16(cfg, pos + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT, PCI_EXP_LNKCTL2_TLS);
	return 0;
}

/* PCI 3.0, 6.8.1: 64-bit addresses and per-vector masking */
int mvgpu_config_add_msi(struct mvgpu_config *cfg, unsigned int vectors)
{
	int pos;

	if (!vectors || vectors > 32 || !is_power_of_2(vectors))
		return -EINVAL;
	if (cfg->msi)
		return -EBUSY;
	pos = add_cap(cfg, PCI_CAP_ID_MSI, MSI_CAP_SIZE);
	if (pos < 0)
		return pos;
	cfg->msi = pos;
	field16(cfg, pos + PCI_MSI_FLAGS,
		PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | ilog2(vectors) << 1,
		PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	field32(cfg, pos + PCI_MSI_ADDRESS_LO, 0, ~3u);
	field32(cfg, pos + PCI_MSI_ADDRESS_HI, 0, ~0u);
	field16(cfg, pos + PCI_MSI_DATA_64, 0, 0xffff);
	field32(cfg, pos + PCI_MSI_MASK_64, 0, (u32)((1ull << vectors) - 1));
	return 0;
}

/* PCI 3.0, 6.8.2 */
int mvgpu_config_add_msix(struct mvgpu_config *cfg, unsigned int vectors,
			  unsigned int bar, u32 table, u32 pba)
{
	int pos;

	if (!vectors || vectors > 2048 || bar >= MVGPU_NUM_BARS || table % 8 || pba % 8)
		return -EINVAL;
	if (cfg->msix)
		return -EBUSY;
	pos = add_cap(cfg, PCI_CAP_ID_MSIX, MSIX_CAP_SIZE);
	if (pos < 0)
		return pos;
	cfg->msix = pos;
	field16(cfg, pos + PCI_MSIX_FLAGS, vectors - 1,
		PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	field32(cfg, pos + PCI_MSIX_TABLE, table | bar, 0);
	field32(cfg, pos + PCI_MSIX_PBA, pba | bar, 0);
	return 0;
}

/* PCI 3.0, appendix H: the third byte is the capability's length */
int mvgpu_config_add_vendor(struct mvgpu_config *cfg, const void *data, u8 len)
{
	int pos;

	if (len > MVGPU_CONFIG_SIZE - CONFIG_FIRST_CAP)
		return -ENOSPC;
	pos = add_cap(cfg, PCI_CAP_ID_VNDR, len + 3);
	if (pos < 0)
		return pos;
	cfg->val[pos + 2] = len + 3;
	memcpy(&cfg->val[pos + 3], data, len);
	return 0;
}

/* The same, but the guest may store the bits in @writable. Returns its offset or an errno. */
int mvgpu_config_add_active(struct mvgpu_config *cfg, const void *data, const void *writable,
			    u8 len)
{
	unsigned int pos = cfg->free;
	int ret = mvgpu_config_add_vendor(cfg, data, len);

	if (ret)
		return ret;
	memcpy(&cfg->wmask[pos + 3], writable, len);
	return pos;
}

/* What has been declared so far becomes the power-on state */
void mvgpu_config_seal(struct mvgpu_config *cfg)
{
	memcpy(cfg->init, cfg->val, sizeof(cfg->init));
}

void mvgpu_config_reset(struct mvgpu_config *cfg)
{
	memcpy(cfg->val, cfg->init, sizeof(cfg->val));
}

/* PCI Express functions have 4 KiB of configuration space, conventional ones 256 bytes */
u16 mvgpu_config_size(const struct mvgpu_config *cfg)
{
	return cfg->pcie ? MVGPU_CONFIG_EXT_SIZE : MVGPU_CONFIG_SIZE;
}

/* True if the device answers memory accesses: decoding is on and the state is D0 */
bool mvgpu_config_decodes(const struct mvgpu_config *cfg)
{
	return get16(cfg, PCI_COMMAND) & PCI_COMMAND_MEMORY &&
	       !(cfg->pm && cfg->val[cfg->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK);
}

/* Messages need bus mastering, INTx its disable bit clear, and both need D0 */
void mvgpu_config_gate(const struct mvgpu_config *cfg, struct mvgpu_config_gate *gate)
{
	u16 cmd = get16(cfg, PCI_COMMAND);
	bool asleep = cfg->pm && cfg->val[cfg->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK;

	gate->intx_off = asleep || cmd & PCI_COMMAND_INTX_DISABLE;
	gate->msg_off = asleep || !(cmd & PCI_COMMAND_MASTER);
	gate->msi_mask = cfg->msi ? get_unaligned_le32(&cfg->val[cfg->msi + PCI_MSI_MASK_64]) : 0;
	gate->msix_masked = cfg->msix &&
			    get16(cfg, cfg->msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_MASKALL;
}

/* Mirror the interrupt state into the two fields that report it */
void mvgpu_config_set_pending(struct mvgpu_config *cfg, bool intx, u32 msi)
{
	u16 status = get16(cfg, PCI_STATUS) & ~PCI_STATUS_INTERRUPT;

	if (intx)
		status |= PCI_STATUS_INTERRUPT;
	put_unaligned_le16(status, &cfg->val[PCI_STATUS]);
	if (cfg->msi)
		put_unaligned_le32(msi, &cfg->val[cfg->msi + MSI_PENDING]);
}

/**
 * mvgpu_config_read() - read configuration space
 * @cfg: configuration space
 * @offset: bytes, below mvgpu_config_size() and aligned to @size
 * @size: 1, 2 or 4 bytes
 *
 * The extended part holds no capability and reads as zero.
 *
 * Return: the value in CPU byte order.
 */
u32 mvgpu_config_read(const struct mvgpu_config *cfg, u16 offset, unsigned int size)
{
	u32 val = 0;
	unsigned int i;

	for (i = 0; i < size && offset + i < MVGPU_CONFIG_SIZE; i++)
		val |= (u32)cfg->val[offset + i] << (8 * i);
	return val;
}

static void store(struct mvgpu_config *cfg, unsigned int at, u8 val)
{
	u8 keep = cfg->val[at] & ~cfg->wmask[at];

	cfg->val[at] = (keep & ~(val & cfg->w1c[at])) | (val & cfg->wmask[at]);
}

/*
 * PCI Power Management 1.2, 3.2.4: writing a state that is not supported
 * completes normally and changes nothing.
 */
static bool power_state_refused(const struct mvgpu_config *cfg, unsigned int at, u8 val)
{
	u8 state = val & PCI_PM_CTRL_STATE_MASK;

	return cfg->pm && at == cfg->pm + PCI_PM_CTRL && state && state != 3;
}

/**
 * mvgpu_config_write() - write configuration space
 * @cfg: configuration space
 * @offset: bytes, below mvgpu_config_size() and aligned to @size
 * @size: 1, 2 or 4 bytes
 * @val: value in CPU byte order
 *
 * Return: MVGPU_CONFIG_* of what the caller has to act upon.
 */
u32 mvgpu_config_write(struct mvgpu_config *cfg, u16 offset, unsigned int size, u32 val)
{
	struct mvgpu_config_gate old_gate, gate;
	bool decoded = mvgpu_config_decodes(cfg);
	u32 events = 0;
	unsigned int i;

	mvgpu_config_gate(cfg, &old_gate);
	for (i = 0; i < size && offset + i < MVGPU_CONFIG_SIZE; i++) {
		unsigned int at = offset + i;
		u8 byte = val >> (8 * i);

		if (power_state_refused(cfg, at, byte))
			continue;
		store(cfg, at, byte);
		if (cfg->pcie && at == cfg->pcie + PCI_EXP_DEVCTL + 1 &&
		    byte & (PCI_EXP_DEVCTL_BCR_FLR >> 8))
			events |= MVGPU_CONFIG_FLR;
	}
	if (mvgpu_config_decodes(cfg) != decoded)
		events |= MVGPU_CONFIG_DECODE;
	mvgpu_config_gate(cfg, &gate);
	if (gate.intx_off != old_gate.intx_off || gate.msg_off != old_gate.msg_off ||
	    gate.msix_masked != old_gate.msix_masked || gate.msi_mask != old_gate.msi_mask)
		events |= MVGPU_CONFIG_IRQ;
	return events;
}
