// SPDX-License-Identifier: MIT
/*
 * Owns struct fixture and the register access of the tests: a failure ends the
 * test here, so that the tests themselves read as a list of expectations.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "util.h"

/**
 * role_uuid() - the UUID of a vGPU by its role
 * @env: the command line
 * @role: ON_BOCHS or ON_TEST
 *
 * Return: the UUID. Ends the test as skipped when the command line has none.
 */
const char *role_uuid(const struct env *env, enum role role)
{
	unsigned int nr = role == ON_BOCHS ? 0 : 1;

	if (nr >= env->nr || !strcmp(env->uuid[nr], "-"))
		skip("no %s vGPU given", nr ? "test" : "bochs");
	return env->uuid[nr];
}

/**
 * iommu_open() - make what the command line wants vGPUs to be opened through
 * @env: the command line
 * @iommu: takes it
 */
void iommu_open(const struct env *env, struct vgpu_iommu **iommu)
{
	struct vgpu_error err;

	DID(env->iommufd ? vgpu_iommufd_open(iommu, &err) : vgpu_container_open(iommu, &err), &err);
}

/**
 * needs_container() - end the test as skipped without the legacy container
 * @env: the command line
 */
void needs_container(const struct env *env)
{
	if (env->iommufd)
		skip("only groups and containers have this");
}

/**
 * fixture_attach() - open the fixture's vGPU in the fixture's container
 * @f: the fixture, with @iommu and @uuid set
 */
void fixture_attach(struct fixture *f)
{
	struct vgpu_error err;
	unsigned int i;

	DID(vgpu_open(f->iommu, f->uuid, &f->dev, &err), &err);
	f->nr_regions = vgpu_num_regions(f->dev);
	OK(f->nr_regions <= MAX_REGIONS, "%u regions", f->nr_regions);
	/* a device without the VGA region may say so by an error */
	for (i = 0; i < f->nr_regions; i++)
		if (vgpu_region_get(f->dev, i, &f->region[i], &err))
			OK(i == VFIO_PCI_VGA_REGION_INDEX, "%s", err.text);
}

/**
 * fixture_open() - open a vGPU in a container of its own
 * @f: takes it
 * @env: the command line
 * @role: ON_BOCHS or ON_TEST
 */
void fixture_open(struct fixture *f, const struct env *env, enum role role)
{
	*f = (struct fixture){ .env = env, .role = role, .uuid = role_uuid(env, role) };
	iommu_open(env, &f->iommu);
	fixture_attach(f);
}

/**
 * fixture_detach() - close what fixture_attach() opened
 * @f: the fixture
 */
void fixture_detach(struct fixture *f)
{
	unsigned int i;

	for (i = 0; i < f->nr_regions; i++)
		vgpu_region_put(&f->region[i]);
	vgpu_close(f->dev);
	f->dev = NULL;
}

/**
 * fixture_close() - close what fixture_open() opened
 * @f: the fixture
 */
void fixture_close(struct fixture *f)
{
	fixture_detach(f);
	vgpu_iommu_close(f->iommu);
	f->iommu = NULL;
}

ssize_t try_read(struct fixture *f, unsigned int region, __u64 pos, void *buf, size_t count)
{
	return vgpu_region_read(f->dev, &f->region[region], pos, buf, count, NULL);
}

ssize_t try_write(struct fixture *f, unsigned int region, __u64 pos, const void *buf,
		  size_t count)
{
	return vgpu_region_write(f->dev, &f->region[region], pos, buf, count, NULL);
}

__u64 reg_read(struct fixture *f, unsigned int region, __u64 pos, unsigned int width)
{
	struct vgpu_error err;
	__u64 value;

	DID(vgpu_region_load(f->dev, &f->region[region], pos, width, &value, &err), &err);
	return value;
}

void reg_write(struct fixture *f, unsigned int region, __u64 pos, unsigned int width,
	       __u64 value)
{
	struct vgpu_error err;

	DID(vgpu_region_store(f->dev, &f->region[region], pos, width, value, &err), &err);
}

__u32 cfg_read(struct fixture *f, __u32 pos, unsigned int width)
{
	struct vgpu_error err;
	__u32 value;

	DID(vgpu_cfg_read(f->dev, pos, width, &value, &err), &err);
	return value;
}

void cfg_write(struct fixture *f, __u32 pos, unsigned int width, __u32 value)
{
	struct vgpu_error err;

	DID(vgpu_cfg_write(f->dev, pos, width, value, &err), &err);
}

__u32 find_cap(struct fixture *f, __u8 id)
{
	struct vgpu_error err;
	int pos;

	pos = vgpu_cfg_find_cap(f->dev, id, &err);
	DID(pos, &err);
	return pos;
}

void command(struct fixture *f, __u16 set, __u16 clear)
{
	cfg_write(f, PCI_COMMAND, 2, (cfg_read(f, PCI_COMMAND, 2) & ~clear) | set);
}

void memory_on(struct fixture *f)
{
	command(f, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
}

void memory_off(struct fixture *f)
{
	command(f, 0, PCI_COMMAND_MEMORY);
}

/* A BAR that does not decode answers like an empty bus: an error or all ones. */
bool bar_dead(struct fixture *f, unsigned int region, __u64 pos)
{
	__u32 value = 0;
	ssize_t ret;

	ret = try_read(f, region, pos, &value, sizeof(value));
	if (ret < 0) {
		REFUSED(ret, EIO);
		return true;
	}
	return ret == sizeof(value) && value == 0xffffffff;
}

int dev_ioctl(struct fixture *f, unsigned long request, void *arg)
{
	int ret;

	ret = ioctl(vgpu_fd(f->dev), request, arg);
	return ret < 0 ? -errno : ret;
}

int set_irqs(struct fixture *f, __u32 argsz, __u32 flags, __u32 index, __u32 start, __u32 count,
	     const void *data, size_t data_size)
{
	struct vfio_irq_set hdr = {
		.argsz = argsz, .flags = flags, .index = index, .start = start, .count = count,
	};

	return vgpu_irq_raw(f->dev, &hdr, data, data_size, NULL);
}

/**
 * guarded() - a buffer that ends where unmapped memory begins
 * @size: bytes, at most a page
 *
 * Return: the buffer, zeroed. Whoever reads or writes beyond it gets a fault.
 */
void *guarded(size_t size)
{
	char *map;

	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK(map != MAP_FAILED && size <= PAGE, "no %zu bytes before a hole", size);
	OK(!mprotect(map + PAGE, PAGE, PROT_NONE), "mprotect: %s", strerror(errno));
	return map + PAGE - size;
}

__u16 vbe_read(struct fixture *f, enum vbe reg)
{
	return reg_read(f, BAR2, B_VBE + 2 * reg, 2);
}

void vbe_write(struct fixture *f, enum vbe reg, __u16 value)
{
	reg_write(f, BAR2, B_VBE + 2 * reg, 2, value);
}

/**
 * set_mode() - set a mode as bochs-drm does
 * @f: a bochs vGPU that decodes memory
 * @mode: the mode
 */
void set_mode(struct fixture *f, const struct mode *mode)
{
	vbe_write(f, VBE_ENABLE, 0);
	vbe_write(f, VBE_BPP, mode->bpp);
	vbe_write(f, VBE_XRES, mode->width);
	vbe_write(f, VBE_YRES, mode->height);
	vbe_write(f, VBE_BANK, 0);
	vbe_write(f, VBE_VIRT_WIDTH, mode->virt_width);
	vbe_write(f, VBE_VIRT_HEIGHT, mode->height);
	vbe_write(f, VBE_X_OFFSET, mode->x);
	vbe_write(f, VBE_Y_OFFSET, mode->y);
	vbe_write(f, VBE_ENABLE, VBE_ENABLED | VBE_LFB);
}

/**
 * query_plane() - ask what the bochs vGPU shows
 * @f: the fixture
 * @plane: takes the answer
 */
void query_plane(struct fixture *f, struct vfio_device_gfx_plane_info *plane)
{
	struct vgpu_error err;

	/* DRM_PLANE_TYPE_PRIMARY */
	DID(vgpu_gfx_query(f->dev, VFIO_GFX_PLANE_TYPE_REGION, 1, plane, &err), &err);
}
