// SPDX-License-Identifier: MIT
/*
 * Owns the terminal while top has the whole screen of it: keys one by one, no cursor, and
 * everything as it was when the program ends, however it does.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "terminal.h"

static struct termios before;
static sigset_t unblocked;
static bool taken;
static volatile sig_atomic_t ending;

static void on_signal(int number)
{
	if (number != SIGWINCH)
		ending = number;
}

static void give_back(void)
{
	if (!taken)
		return;
	taken = false;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

/* Signals come while terminal_wait() waits, and at no other time */
static void take_signals(void)
{
	static const int numbers[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH, 0 };
	const int *number;
	const struct sigaction action = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	for (number = numbers; *number; number++) {
		sigaddset(&set, *number);
		sigaction(*number, &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &set, &unblocked);
}

/**
 * terminal_take() - get ready for terminal_wait()
 * @screen: whether there is a terminal, all of which is wanted
 */
void terminal_take(bool screen)
{
	struct termios raw;

	take_signals();
	if (!screen || tcgetattr(STDIN_FILENO, &before))
		return;
	raw = before;
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	taken = true;
	atexit(give_back);
	fputs("\033[?1049h\033[?25l", stdout);
}

/**
 * terminal_size() - how much room there is
 * @lines: takes the number of lines
 * @columns: takes the number of columns
 */
void terminal_size(unsigned int *lines, unsigned int *columns)
{
	struct winsize size;

	*lines = 24;
	*columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		return;
	*lines = size.ws_row;
	*columns = size.ws_col;
}

/**
 * terminal_wait() - wait for a key
 * @limit: how long, at most
 *
 * Return: the key; 0 if there was none, or the size has changed; TERMINAL_END if the program
 * is to end.
 */
int terminal_wait(const struct timespec *limit)
{
	struct pollfd fd = { .fd = taken ? STDIN_FILENO : -1, .events = POLLIN };
	int n = ppoll(&fd, 1, limit, &unblocked);
	unsigned char key;

	if (ending)
		return TERMINAL_END;
	if (n <= 0)
		return 0;
	return read(STDIN_FILENO, &key, 1) == 1 ? key : TERMINAL_END;
}
