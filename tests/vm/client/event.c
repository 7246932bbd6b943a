// SPDX-License-Identifier: MIT
/*
 * Owns the eventfds that a test arms, and the patience it has with them.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "util.h"

/* How long an event may take, and how long silence is waited for */
#define EVENT_MS 5000
#define QUIET_MS 50

int ev_new(void)
{
	int fd;

	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	OK(fd >= 0, "eventfd: %s", strerror(errno));
	return fd;
}

/**
 * ev_take() - take what an eventfd has counted
 * @fd: the eventfd
 *
 * Return: how many events since the last call.
 */
__u64 ev_take(int fd)
{
	__u64 count;

	if (read(fd, &count, sizeof(count)) != sizeof(count)) {
		OK(errno == EAGAIN, "reading an eventfd: %s", strerror(errno));
		return 0;
	}
	return count;
}

/**
 * ev_wait() - wait for an event without taking it
 * @fd: the eventfd
 * @ms: milliseconds
 *
 * Return: whether there is one.
 */
bool ev_wait(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, ms) == 1 && (pfd.revents & POLLIN);
}

void ev_write(int fd)
{
	__u64 one = 1;

	OK(write(fd, &one, sizeof(one)) == sizeof(one), "writing an eventfd: %s",
	   strerror(errno));
}

void expect_event(const char *file, int line, int fd)
{
	__u64 count;

	if (!ev_wait(fd, EVENT_MS))
		fail(file, line, "no event within %d ms", EVENT_MS);
	count = ev_take(fd);
	if (count != 1)
		fail(file, line, "%llu events instead of one", count);
}

void expect_quiet(const char *file, int line, int fd)
{
	if (ev_wait(fd, QUIET_MS))
		fail(file, line, "%llu unexpected events", ev_take(fd));
}

/**
 * arm() - make eventfds and let interrupts signal them
 * @f: the fixture
 * @index: VFIO_PCI_*_IRQ_INDEX
 * @start: the first interrupt
 * @count: how many
 * @fds: takes @count eventfds
 */
void arm(struct fixture *f, unsigned int index, unsigned int start, unsigned int count, int *fds)
{
	struct vgpu_error err;
	unsigned int i;

	for (i = 0; i < count; i++)
		fds[i] = ev_new();
	DID(vgpu_irq_eventfd(f->dev, index, TRIGGER, start, count, fds, &err), &err);
}

void disarm(struct fixture *f, unsigned int index)
{
	struct vgpu_error err;

	DID(vgpu_irq_disable(f->dev, index, &err), &err);
}
