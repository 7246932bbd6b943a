// SPDX-License-Identifier: MIT
/*
 * Owns the commands adopt and release: how a physical GPU passes from one driver to another,
 * checked before, and undone if it can't be done. Of a GPU, one program at a time does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mvgpuctl.h"

#define PCI "/sys/bus/pci"
#define VIRTIO "/sys/bus/virtio"

/*
 * udev adopts GPUs while operators do. Returns a lock, for end_turn(); who may not create it
 * may not adopt either.
 */
static int take_turn(const char *address)
{
	char *path = format("%s/%s.lock", RUN_DIR, address);
	int fd;

	mkdir(RUN_DIR, 0755);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		inform("%s: waiting for another mvgpuctl, which is about it", address);
		flock(fd, LOCK_EX);
	}
	return fd;
}

static void end_turn(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* ---- a device on the PCI bus ---- */

static int unbind(const struct gpu *gpu)
{
	return gpu->driver ? sysfs_write(gpu->path, "driver/unbind", gpu->address) : 0;
}

/* Let the driver that is named, or any if that is "", have the GPU */
static int bind_override(const struct gpu *gpu, const char *driver)
{
	int ret = sysfs_write(gpu->path, "driver_override", driver);

	return ret ? ret : sysfs_write(PCI, "drivers_probe", gpu->address);
}

/* The folder of what drivers bind: the virtio device of a GPU that has one */
static bool has_it(const struct gpu *gpu, const char *driver)
{
	char *path = gpu->child ? format("%s/%s", gpu->path, gpu->child) : format("%s", gpu->path);
	char *now = sysfs_link(path, "driver");
	bool same = now && !strcmp(now, driver);

	free(now);
	free(path);
	return same;
}

/* On the virtio bus, whoever had it may have complained since, too */
static enum status did_not_take(const struct gpu *gpu, const char *driver)
{
	char *end = format("%s: can't take it", driver);

	fail(ST_REFUSED, "%s: %s did not take it", gpu->address, driver);
	explain_refusal(gpu->address, end);
	free(end);
	return ST_REFUSED;
}

static void say_who_has_it(const struct gpu *gpu)
{
	if (gpu->driver)
		inform("%s: %s %s it", gpu->address, gpu->driver,
		       has_it(gpu, gpu->driver) ? "has" : "does not take back");
}

/* The override may have been another's name all the while, so it comes back last */
static void undo_pci(const struct gpu *gpu, const char *override)
{
	if (gpu->driver)
		bind_override(gpu, gpu->driver);
	sysfs_write(gpu->path, "driver_override",
		    override && strcmp(override, "(null)") ? override : "");
	say_who_has_it(gpu);
}

static enum status adopt_pci(const struct gpu *gpu, const char *driver)
{
	char *override = sysfs_read(gpu->path, "driver_override");
	enum status status = ST_OK;
	int ret = unbind(gpu);

	if (ret) {
		status = fail_errno(ret, "%s: taking it from %s", gpu->address, gpu->driver);
	} else {
		ret = bind_override(gpu, driver);
		if (ret) {
			status = fail_errno(ret, "%s: giving it to %s", gpu->address, driver);
			explain_refusal(gpu->address, NULL);
		} else if (!has_it(gpu, driver)) {
			status = did_not_take(gpu, driver);
		} else if (!gpu_path_is_parent(gpu->path)) {
			status = fail(ST_REFUSED, "%s: %s took it, but makes no parent of it",
				      gpu->address, driver);
			sysfs_write(gpu->path, "driver/unbind", gpu->address);
			advise("'mvgpuctl list gpus' shows the vendor driver of each GPU");
		}
		if (status)
			undo_pci(gpu, override);
	}
	free(override);
	return status;
}

static enum status release_pci(const struct gpu *gpu)
{
	int ret = sysfs_write(gpu->path, "driver_override", "");

	if (!ret) {
		ret = unbind(gpu);
		if (ret)
			sysfs_write(gpu->path, "driver_override", gpu->driver);
	}
	if (!ret)
		ret = sysfs_write(PCI, "drivers_probe", gpu->address);
	return ret ? fail_errno(ret, "%s: taking it from %s", gpu->address, gpu->driver) : ST_OK;
}

/* ---- on the virtio bus, the driver does it all ---- */

static int hand_over_virtio(const struct gpu *gpu, const char *driver, const char *what)
{
	char *file = format("%s/%s", driver, what);
	int ret = sysfs_write(VIRTIO "/drivers", file, gpu->address);

	free(file);
	return ret;
}

static enum status adopt_virtio(const struct gpu *gpu, const char *driver)
{
	int ret = hand_over_virtio(gpu, driver, "adopt");
	enum status status = ST_OK;

	if (ret && status_of(ret) == ST_PERMISSION)
		return fail_errno(ret, "%s: giving it to %s", gpu->address, driver);
	if (ret) {
		status = did_not_take(gpu, driver);
		say_who_has_it(gpu);
	}
	return status;
}

static enum status release_virtio(const struct gpu *gpu)
{
	int ret = hand_over_virtio(gpu, gpu->driver, "release");
	enum status status;

	if (!ret)
		return ST_OK;
	status = fail_errno(ret, "%s: taking it from %s", gpu->address, gpu->driver);
	explain_refusal(gpu->address, NULL);
	return status;
}

/* ---- adopt ---- */

struct adoption {
	const char *driver;
	const char *list;
	bool force;
	bool need_iommu;
};

static bool driver_there(const struct gpu *gpu, const char *driver)
{
	return sysfs_has(gpu->child ? VIRTIO "/drivers" : PCI "/drivers", driver);
}

static enum status check_iommu(const struct gpu *gpu, const struct adoption *a)
{
	enum iommu_mode mode = iommu_mode(gpu);

	if (!a->need_iommu || mode == IOMMU_TRANSLATES)
		return ST_OK;
	fail(ST_MISSING, "%s: no IOMMU keeps it from the host's memory: %s", gpu->address,
	     iommu_text(mode));
	advise("%s", iommu_advice(mode));
	return ST_MISSING;
}

static enum status check_holder(const struct gpu *gpu, const struct adoption *a)
{
	const struct holder *holder;

	holders_forget();
	holder = gpu_holder(gpu);
	if (!holder)
		return ST_OK;
	if (a->force) {
		inform("%s: %s (pid %d) loses it", gpu->address, holder->comm, holder->pid);
		return ST_OK;
	}
	fail(ST_BUSY, "%s: %s (pid %d) has %s open", gpu->address, holder->comm, holder->pid,
	     holder->node);
	advise("stop it; or 'mvgpuctl adopt --force %s', and it loses its screen", gpu->address);
	return ST_BUSY;
}

/* A driver on the virtio bus needs a device there, which virtio-pci makes */
static enum status check_bus(const struct gpu *gpu)
{
	if (!gpu->vendor || !gpu->vendor->on_virtio || gpu->child)
		return ST_OK;
	fail(ST_MISSING, "%s: %s has it, but %s needs the virtio device that virtio-pci makes",
	     gpu->address, gpu->driver ? gpu->driver : "no driver", gpu->vendor->driver);
	if (gpu->driver)
		advise("cd " PCI "/drivers; echo %s > %s/unbind; echo %s > virtio-pci/bind",
		       gpu->address, gpu->driver, gpu->address);
	else
		advise("echo %s > " PCI "/drivers/virtio-pci/bind", gpu->address);
	return ST_MISSING;
}

static enum status need_driver(const struct gpu *gpu, const char *driver)
{
	enum status status;

	if (driver_there(gpu, driver))
		return ST_OK;
	status = module_need(driver);
	if (!status && !driver_there(gpu, driver))
		status = fail(ST_MISSING, "%s: the module %s brings no driver of that name",
			      gpu->address, driver);
	return status;
}

static enum status adopt_gpu(const struct gpu *gpu, const struct adoption *a)
{
	const char *driver = a->driver ? a->driver : gpu->vendor ? gpu->vendor->driver : NULL;
	enum status status = check_iommu(gpu, a);

	if (status)
		return status;
	if (gpu->parent) {
		if (!driver || !gpu->driver || !strcmp(gpu->driver, driver))
			return ST_OK;
		fail(ST_BUSY, "%s: %s has it", gpu->address, gpu->driver);
		advise("mvgpuctl release %s", gpu->address);
		return ST_BUSY;
	}
	status = check_bus(gpu);
	if (!status)
		status = check_holder(gpu, a);
	if (!status)
		status = need_driver(gpu, driver);
	if (status)
		return status;
	klog_mark();
	if (gpu->child)
		return adopt_virtio(gpu, driver);
	return adopt_pci(gpu, driver);
}

/* As it is afterwards */
static enum status print_gpu(const char *address)
{
	const struct gpu *gpu;
	enum status status;
	json_object *root;
	struct host h;

	status = host_scan(&h, address);
	gpu = status ? NULL : gpu_named(&h, address);
	if (gpu && saying_json()) {
		root = must_have(json_object_new_object());
		json_object_object_add(root, "gpu", gpu_json(&h, gpu));
		status = print_json(root);
	} else if (gpu) {
		inform("%s: %s has it now", gpu->address,
		       gpu->driver ? gpu->driver : "no driver");
	}
	host_free(&h);
	return status;
}

/* A display controller or an accelerator, as udev's rule has it */
static bool has_gpu_class(const struct gpu *gpu)
{
	char *text = sysfs_read(gpu->path, "class");
	unsigned long class = text ? strtoul(text, NULL, 16) >> 16 : 0;

	free(text);
	return class == 0x03 || class == 0x12;
}

/* A wrong line in a file must not take a device from the driver that has it */
static enum status check_listed(const struct gpu *gpu, const char *driver)
{
	const struct vendor *vendor = vendor_of_driver(driver);
	struct nearest nearest = { .wanted = driver };
	unsigned int i;

	if (vendor && vendor == gpu->vendor)
		return ST_OK;
	if (vendor || !has_gpu_class(gpu)) {
		fail(ST_USAGE, "%s: %s takes no %s %04x:%04x", gpu->address, driver,
		     has_gpu_class(gpu) ? "GPU" : "PCI device that is no GPU, as", gpu->ids[0],
		     gpu->ids[1]);
		nearest.best = gpu->vendor ? gpu->vendor->driver : NULL;
		nearest_advise(&nearest, "'mvgpuctl list gpus' shows the GPUs that can be adopted");
		return ST_USAGE;
	}
	if (driver_there(gpu, driver) || module_state(driver) != MODULE_ABSENT)
		return ST_OK;
	fail(ST_MISSING, "%s: no vendor driver %s is installed", gpu->address, driver);
	for (i = 0; i < num_vendors; i++)
		nearest_try(&nearest, vendors[i].driver);
	nearest_advise(&nearest, "install its module for the kernel that runs");
	return ST_MISSING;
}

/* Looks at the host anew when its turn has come */
static enum status scan_in_turn(struct host *h, const char *also, const char *name,
				const struct gpu **gpu, int *turn)
{
	enum status status = host_scan(h, also);

	*turn = -1;
	if (!status)
		status = find_gpu(h, name, gpu);
	if (status)
		return status;
	*turn = take_turn((*gpu)->address);
	host_free(h);
	status = host_scan(h, also);
	return status ? status : find_gpu(h, name, gpu);
}

static enum status adopt_one(const char *name, const struct adoption *a)
{
	const struct gpu *gpu;
	enum status status;
	struct host h;
	int turn;

	status = scan_in_turn(&h, a->driver ? name : NULL, name, &gpu, &turn);
	if (!status && a->list)
		status = check_listed(gpu, a->driver);
	if (!status)
		status = adopt_gpu(gpu, a);
	if (!status && !(a->list && saying_json()))
		status = print_gpu(gpu->address);
	host_free(&h);
	end_turn(turn);
	return status;
}

static enum status print_listed(const struct adopt_list *list)
{
	json_object *root = must_have(json_object_new_object());
	json_object *gpus = must_have(json_object_new_array());
	const struct gpu *gpu;
	enum status status;
	unsigned int i;
	struct host h;

	status = host_scan(&h, NULL);
	for (i = 0; !status && i < list->num; i++) {
		gpu = gpu_named(&h, list->gpus[i].address);
		if (gpu)
			json_object_array_add(gpus, gpu_json(&h, gpu));
	}
	json_object_object_add(root, "gpus", gpus);
	host_free(&h);
	return status ? status : print_json(root);
}

/* Each line by itself: what is wrong with one is no reason to leave out another */
static enum status adopt_listed(const struct adoption *all, const char *only)
{
	struct adoption a = *all;
	enum status status, one;
	struct adopt_list list;
	unsigned int i;

	status = adopt_list_read(&list, a.list, only);
	for (i = 0; i < list.num; i++) {
		a.driver = list.gpus[i].driver;
		if (!a.driver)
			continue;
		say_where("%s line %u", a.list, list.gpus[i].line);
		one = adopt_one(list.gpus[i].address, &a);
		status = one ? one : status;
	}
	say_where(NULL);
	if (!status && saying_json())
		status = print_listed(&list);
	adopt_list_free(&list);
	return status;
}

static enum status adopt_run(const struct command *cmd, int argc, char **argv)
{
	struct adoption a = {};
	int letter;

	while ((letter = next_option(cmd, argc, argv)) > 0 && letter != OPT_BAD &&
	       letter != OPT_HELP) {
		if (letter == 'd')
			a.driver = optarg;
		if (letter == 'l')
			a.list = optarg;
		a.force |= letter == 'f';
		a.need_iommu |= letter == 'i';
	}
	if (letter != OPT_END)
		return option_status(letter);
	if (a.list && a.driver)
		return usage(cmd, "--list names the drivers, so --driver can't");
	if (argc - optind > 1 || (argc - optind < 1 && !a.list))
		return usage(cmd, "name one GPU");
	if (a.list)
		return adopt_listed(&a, argv[optind]);
	return adopt_one(argv[optind], &a);
}

static const struct opt adopt_opts[] = {
	{ 'd', "driver", "DRIVER", "the vendor driver, if not the one that knows the GPU" },
	{ 'f', "force", NULL, "even if a program has it open" },
	{ 'i', "need-iommu", NULL, "only if it is behind an IOMMU that translates" },
	{ 'l', "list", "FILE", "what FILE lists, or only GPU, if FILE lists it" },
	{}
};

const struct command cmd_adopt = {
	.name = "adopt",
	.args = "GPU|--list=FILE [GPU]",
	.summary = "hand a physical GPU over to its vendor driver",
	.help =
		"Loads the vendor driver if it must, takes the GPU from the driver that has it,\n"
		"and makes it a parent. If the vendor driver does not take it, the GPU is given\n"
		"back, as it was. GPU is a PCI address or the name of a virtio device.\n\n"
		"Each line of FILE is a PCI address and a vendor driver; # starts a comment.",
	.opts = adopt_opts,
	.run = adopt_run,
};

/* ---- release ---- */

static enum status check_no_vgpus(const struct host *h, const struct gpu *gpu, bool wait)
{
	const struct holder *holder = NULL;
	unsigned int i, n = 0;

	for (i = 0; i < h->num_vgpus; i++) {
		if (h->vgpus[i].parent != gpu)
			continue;
		n++;
		holder = holder ? holder : vgpu_holder(&h->vgpus[i]);
	}
	if (!n || wait)
		return ST_OK;
	if (holder)
		fail(ST_BUSY, "%s: it has %u vGPU%s, and %s (pid %d) uses one", gpu->address, n,
		     n == 1 ? "" : "s", holder->comm, holder->pid);
	else
		fail(ST_BUSY, "%s: it has %u vGPU%s", gpu->address, n, n == 1 ? "" : "s");
	advise("'mvgpuctl remove --count=%u %s' first; or 'mvgpuctl release --wait %s'", n,
	       gpu->address, gpu->address);
	return ST_BUSY;
}

static enum status release_gpu(const struct host *h, const struct gpu *gpu, bool wait)
{
	enum status status;

	if (!gpu->parent) {
		fail(ST_NOT_FOUND, "%s: it is no parent: %s has it", gpu->address,
		     gpu->driver ? gpu->driver : "no driver");
		advise("'mvgpuctl list parents' shows what there is");
		return ST_NOT_FOUND;
	}
	status = check_no_vgpus(h, gpu, wait);
	if (status)
		return status;
	klog_mark();
	if (gpu->child)
		return release_virtio(gpu);
	return release_pci(gpu);
}

static enum status release_run(const struct command *cmd, int argc, char **argv)
{
	const struct gpu *gpu;
	bool wait = false;
	enum status status;
	struct host h;
	int letter, turn;

	while ((letter = next_option(cmd, argc, argv)) == 'w')
		wait = true;
	if (letter != OPT_END)
		return option_status(letter);
	if (argc - optind != 1)
		return usage(cmd, "name one parent");
	status = scan_in_turn(&h, NULL, argv[optind], &gpu, &turn);
	if (!status)
		status = release_gpu(&h, gpu, wait);
	if (!status)
		status = print_gpu(gpu->address);
	host_free(&h);
	end_turn(turn);
	return status;
}

static const struct opt release_opts[] = {
	{ 'w', "wait", NULL, "remove its vGPUs, and wait until VMMs have let go of them" },
	{}
};

const struct command cmd_release = {
	.name = "release",
	.args = "PARENT",
	.summary = "give a physical GPU back to the driver that the kernel has for it",
	.help =
		"Takes a parent from its vendor driver. With vGPUs, only if that is asked for:\n"
		"they lose the hardware at once, and their VMMs are asked to unplug them.",
	.opts = release_opts,
	.run = release_run,
};
