/* SPDX-License-Identifier: MIT */
/*
 * What the files of mvgpuctl share. Each section names the file that owns it.
 *
 * Memory is short-lived: whatever can't be had ends the program, so no function that
 * returns a string from format() or a JSON object returns NULL for lack of it.
 */
#ifndef MVGPUCTL_H
#define MVGPUCTL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define RUN_DIR "/run/mvgpu"	/* what is to be known until the next boot */

/* -------- say.c: what is said, and the exit status -------- */

/* docs/mvgpuctl.md promises these numbers */
enum status {
	ST_OK,
	ST_USAGE,	/* the command line is wrong */
	ST_NOT_FOUND,	/* there is no such vGPU, parent, type, GPU or attribute */
	ST_BUSY,	/* in use, full, or there already */
	ST_PERMISSION,
	ST_REFUSED,	/* the kernel refused for another reason */
	ST_MISSING,	/* a module, an IOMMU or a feature that is needed is not there */
	ST_FAILURE,	/* out of memory, or the output can't be written */
};

enum colour { PLAIN, BOLD, RED, GREEN, YELLOW };

void say_json(void);
void say_where(const char *fmt, ...) PRINTF(1, 2);
bool saying_json(void);
enum status status_of(int err);
enum status fail(enum status status, const char *fmt, ...) PRINTF(2, 3);
enum status fail_errno(int err, const char *fmt, ...) PRINTF(2, 3);
void advise(const char *fmt, ...) PRINTF(1, 2);
void inform(const char *fmt, ...) PRINTF(1, 2);
void explain_refusal(const char *who, const char *end);
enum status print_json(json_object *root);
enum status finish(enum status status);
void *must_have(void *memory);
char *format(const char *fmt, ...) PRINTF(1, 2);
const char *paint(enum colour as);

/* -------- table.c: columns of text -------- */

struct table;

struct table *table_new(const char *const *titles, unsigned int columns);
void table_align_right(struct table *t, unsigned int column);
void table_cell(struct table *t, enum colour as, char *text);
void table_print(struct table *t, const char *indent, unsigned int lines, unsigned int width);
void table_free(struct table *t);

/* -------- nearest.c: what was meant -------- */

/* The best candidate so far for what somebody may have meant by @wanted */
struct nearest {
	const char *wanted;
	const char *best;
	unsigned int distance;
};

void nearest_try(struct nearest *n, const char *candidate);
void nearest_advise(const struct nearest *n, const char *otherwise);

/* -------- options.c: commands and their options -------- */

struct opt {
	char letter;
	const char *name;
	const char *arg;	/* what its argument is called, NULL if it takes none */
	const char *help;
};

struct command {
	const char *name;
	const char *args;
	const char *summary;
	const char *help;
	const struct opt *opts;		/* ends with an empty one */
	enum status (*run)(const struct command *cmd, int argc, char **argv);
};

#define OPT_END (-1)
#define OPT_BAD '?'
#define OPT_HELP 'h'

int next_option(const struct command *cmd, int argc, char **argv);
enum status option_status(int letter);
enum status usage(const struct command *cmd, const char *fmt, ...) PRINTF(2, 3);
void command_help(const struct command *cmd);
enum status parse_number(const struct command *cmd, const char *what, const char *text,
			 unsigned long min, unsigned long max, unsigned long *value);

/* -------- sysfs.c: files and links below a folder -------- */

char *sysfs_read(const char *dir, const char *name);
int sysfs_write(const char *dir, const char *name, const char *value);
char *sysfs_link(const char *dir, const char *name);
bool sysfs_has(const char *dir, const char *name);
char **sysfs_list(const char *dir, const char *name);
void strings_free(char **strings);

/* -------- klog.c: why the kernel refused -------- */

void klog_mark(void);
char *klog_reason(const char *who, const char *end);

/* -------- modules.c: kernel modules -------- */

enum module_state { MODULE_ABSENT, MODULE_INSTALLED, MODULE_LOADED };

#define MODULE_SIGN_ADVICE \
	"mokutil --import /var/lib/dkms/mok.pub; then reboot, and choose Enroll MOK"

enum module_state module_state(const char *name);
bool module_must_be_signed(void);
const char *module_advice(void);
enum status module_need(const char *name);

/* -------- names.c: names of vGPUs -------- */

#define UUID_SIZE 37

bool uuid_valid(const char *text);
void uuid_make(char uuid[UUID_SIZE]);
bool name_valid(const char *name);
void name_to_uuid(const char *name, char uuid[UUID_SIZE]);
char *name_of(const char *uuid);
enum status name_record(const char *uuid, const char *name);
void name_forget(const char *uuid);

/* -------- vendor.c: the vendor drivers that come with mvgpu -------- */

struct vendor {
	const char *driver;	/* also the module */
	const char *gpu;	/* what kind of GPU it takes */
	unsigned int vendor;
	unsigned int device;
	bool dma;		/* its vGPUs reach guest memory */
	bool on_virtio;		/* the driver is on the virtio bus */
};

extern const struct vendor vendors[];
extern const unsigned int num_vendors;

const struct vendor *vendor_of_ids(unsigned int vendor, unsigned int device);
const struct vendor *vendor_of_driver(const char *driver);

/* -------- host.c: GPUs, types and vGPUs as the kernel shows them -------- */

struct type {
	char *id;
	char *name;
	char *description;
	char *device_api;
	unsigned int available;
	unsigned int used;
};

/* A physical GPU that a vendor driver knows or has */
struct gpu {
	char *address;
	char *path;
	unsigned int ids[2];	/* PCI vendor and device */
	char *driver;		/* the one that has it, NULL for none */
	char *child;		/* its virtio device's name, NULL if there is none */
	const struct vendor *vendor;	/* NULL if it is not one of ours */
	bool parent;
	struct type *types;
	unsigned int num_types;
};

struct vgpu {
	char *uuid;
	char *name;		/* NULL without one */
	char *path;
	char *type;
	const struct gpu *parent;
};

struct host {
	const char *also;	/* as host_scan() was given it */
	struct gpu *gpus;
	unsigned int num_gpus;
	struct vgpu *vgpus;
	unsigned int num_vgpus;
};

enum status host_scan(struct host *h, const char *also);
void host_free(struct host *h);
bool gpu_path_is_parent(const char *path);
unsigned int gpu_num_vgpus(const struct host *h, const struct gpu *gpu);
char **gpu_leaving(const struct gpu *gpu);
enum status find_vgpu(const struct host *h, const char *what, const struct vgpu **vgpu);
enum status find_gpu(const struct host *h, const char *what, const struct gpu **gpu);
enum status find_parent(const struct host *h, const char *what, const struct gpu **parent);
const struct vgpu *vgpu_named(const struct host *h, const char *what);
const struct gpu *gpu_named(const struct host *h, const char *what);
const char *vgpu_label(const struct vgpu *v);

/* -------- adopt-list.c: the GPUs that a file lists for adoption -------- */

struct listed {
	unsigned int line;
	char *address;
	char *driver;		/* NULL if the line is wrong */
};

struct adopt_list {
	const char *path;
	struct listed *gpus;
	unsigned int num;
};

enum status adopt_list_read(struct adopt_list *list, const char *path, const char *gpu);
void adopt_list_free(struct adopt_list *list);

/* -------- holders.c: which processes have a device open -------- */

struct holder {
	pid_t pid;
	dev_t dev;
	char comm[32];		/* printable */
	char node[64];		/* the device's file, as we would call it */
};

const struct holder *vgpu_holder(const struct vgpu *v);
const struct holder *gpu_holder(const struct gpu *gpu);
bool holders_known(void);
void holders_forget(void);

/* -------- iommu.c: what stands between a GPU and memory -------- */

enum iommu_mode { IOMMU_NONE, IOMMU_PASSTHROUGH, IOMMU_TRANSLATES, IOMMU_BYPASSED };

enum iommu_mode iommu_mode(const struct gpu *gpu);
const char *iommu_text(enum iommu_mode mode);
const char *iommu_advice(enum iommu_mode mode);

/* -------- attrs.c: the attributes of parents and vGPUs -------- */

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_PAGES, UNIT_NS, UNIT_BOOL, UNIT_UUID, UNIT_TEXT,
	    UNIT_KINDS };

#define ATTR_VGPU	0x01
#define ATTR_PARENT	0x02
#define ATTR_SET	0x04	/* operators can write it */
#define ATTR_MAX	0x08	/* may be "max", for no limit */
#define ATTR_EVENTS	0x10	/* only grows: what counts is how fast */

struct attr {
	const char *name;
	unsigned int flags;
	enum unit unit;
	unsigned long long min;
	unsigned long long max;
	const char *meaning;
};

struct value {
	char *text;		/* as the kernel has it */
	unsigned long long number;	/* of what is one; the sum of UNIT_KINDS */
	bool unlimited;
};

extern const struct attr attrs[];
extern const unsigned int num_attrs;

const struct attr *attr_find(const char *name, unsigned int of);
bool attr_get(const char *path, const struct attr *attr, struct value *value);
void value_free(struct value *value);
json_object *attr_json(const struct attr *attr, const struct value *value);
char *attr_human(const struct attr *attr, const struct value *value);
enum status attr_parse(const struct host *h, const struct attr *attr, const char *text,
		       char **value);
int attr_write(const char *path, const struct attr *attr, const char *value);
char *human_size(unsigned long long bytes);
json_object *attrs_json(const char *path, unsigned int of);

/* -------- describe.c: vGPUs, types and GPUs as JSON -------- */

json_object *json_text(const char *text);
json_object *vgpu_json(const struct vgpu *v);
json_object *gpu_json(const struct host *h, const struct gpu *gpu);

/* -------- a file each -------- */

extern const struct command cmd_list, cmd_show, cmd_create, cmd_remove, cmd_set, cmd_adopt,
	cmd_release, cmd_top, cmd_screenshot, cmd_doctor, cmd_complete;

#endif
