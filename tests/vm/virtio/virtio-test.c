// SPDX-License-Identifier: MIT
/*
 * virtio-test: drive mvgpu-virtio's vGPUs as a guest's driver would, and as none should, and
 * print TAP.
 */
#include "gpu.h"

static const struct group *const groups[] = {
	&group_command, &group_ring, &group_reset, &group_memory, &group_plane, NULL,
};

/* What must fail, for the others to mean anything */
static const struct group *const silent_groups[] = { &group_silent, NULL };

/* What wants a GPU that offers blobs */
static const struct group *const blob_groups[] = { &group_blob, NULL };

static const struct client client = {
	.usage =
		"usage: virtio-test [OPTION]... UUID NEIGHBOUR\n"
		"       virtio-test --flood SECONDS WIDTHxHEIGHT UUID\n"
		"       virtio-test --leisure SECONDS RATE UUID\n"
		"       virtio-test --singly TIMES UUID\n"
		"       virtio-test --hold UUID\n"
		"       virtio-test --lose FIRST,SECOND UUID\n"
		"       virtio-test --lose-blob FIRST,SECOND UUID\n"
		"\n"
		"A UUID of an mvgpu-virtio vGPU with a head may be a sysfs path.\n",
	.options =
		"  --silent         only the test that fails: of a command that nobody hears of\n"
		"  --blob           only the tests of blobs: the GPU has to offer them\n"
		"  --flood SECONDS  keep 32 large transfers queued; print how many were done\n"
		"  --leisure SECONDS\n"
		"                   update a small picture RATE times a second; print how often that\n"
		"                   was done and how long it took\n"
		"  --singly TIMES   transfer a picture at each SIGUSR1, and print what is answered; in the\n"
		"                   end the device is broken\n"
		"  --hold           show a picture until killed\n"
		"  --lose FIRST,SECOND\n"
		"                   show a picture of one colour until killed; at each SIGUSR1, take its\n"
		"                   memory away and paint it in the other, or bring it back\n"
		"  --lose-blob FIRST,SECOND\n"
		"                   the same with a blob\n",
	.seconds = "tests that change things meanwhile do so",
	.timeout = 240,
	.actions = {
		{ .groups = groups, .nr = 2 },
		{ "silent", .groups = silent_groups, .nr = 2 },
		{ "blob", .groups = blob_groups, .nr = 2 },
		{ "flood", true, .run = flood, .nr = 2 },
		{ "leisure", true, .run = leisure, .nr = 2 },
		{ "singly", true, .run = transfer_singly, .nr = 1 },
		{ "hold", .run = hold_picture, .nr = 1 },
		{ "lose", true, .run = lose_picture, .nr = 1 },
		{ "lose-blob", true, .run = lose_blob, .nr = 1 },
	},
};

int main(int argc, char **argv)
{
	return run_client(&client, argc, argv);
}
