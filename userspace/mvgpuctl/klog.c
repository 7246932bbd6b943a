// SPDX-License-Identifier: MIT
/*
 * Owns the reader of the kernel's log: what it has said about a device since a mark.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mvgpuctl.h"

#define RECORD_SIZE 8192
#define WARNING 4	/* the level; what matters less is no reason */

static int kmsg = -1;

/**
 * klog_mark() - what is logged from now on is of interest
 *
 * Without the right to read the log, there will be nothing in it.
 */
void klog_mark(void)
{
	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

/**
 * klog_reason() - the last complaint about a device
 * @who: a UUID or an address that it names
 * @end: what is said after this belongs to something else; or NULL
 *
 * Return: the line, for free(), or NULL.
 */
char *klog_reason(const char *who, const char *end)
{
	char record[RECORD_SIZE + 1];
	char *reason = NULL, *text;
	ssize_t n;

	if (kmsg < 0)
		return NULL;
	while ((n = read(kmsg, record, RECORD_SIZE)) > 0) {
		record[n] = 0;
		text = strchr(record, ';');
		if (!text || (strtoul(record, NULL, 10) & 7) > WARNING)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		if (end && strstr(text, end))
			break;
		if (!strstr(text, who))
			continue;
		free(reason);
		reason = must_have(strdup(text));
	}
	return reason;
}
