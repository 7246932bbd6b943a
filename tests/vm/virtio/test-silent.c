// SPDX-License-Identifier: MIT
/*
 * Owns the negative control: a command that nobody was told of is not answered, and the tests
 * would see that.
 */
#include "gpu.h"

static void no_bell(struct fixture *f)
{
	struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct vring_used_elem used;
	struct gpu g;

	gpu_open(&g, f->env, 0);
	/* as if it had asked not to be notified */
	g.ring[CONTROL].used->flags = VRING_USED_F_NO_NOTIFY;
	send(&g, CONTROL, &req, sizeof(req), RESP_SIZE);
	OK(answered(&g, CONTROL, 3, &used), "no answer to a command");
	gpu_close(&g);
}

static const struct test tests[] = {
	{ "a command without a notification", ON_NONE, no_bell },
};

const struct group group_silent = GROUP("silent", tests);
