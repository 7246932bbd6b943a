// SPDX-License-Identifier: MIT
/*
 * Owns the command top, and struct reading: the counters of a vGPU at one moment. What is
 * shown is the difference of two.
 */
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mvgpuctl.h"
#include "terminal.h"

/* ---- columns ---- */

enum how { PER_SECOND, PERCENT_OF_TIME, PERCENT_OF_BOTH, AS_IT_IS };

/**
 * struct column - a number that is shown of each vGPU
 * @name: for --sort
 * @json: what JSON calls it
 * @title: what the table calls it
 * @attr: the attribute that it is made of
 * @other: PERCENT_OF_BOTH: the attribute that makes up the rest
 * @how: what is made of it
 */
struct column {
	const char *name;
	const char *json;
	const char *title;
	const char *attr;
	const char *other;
	enum how how;
};

static const struct column columns[] = {
	{ "commands", "commands_per_second", "CMD/S", "commands", NULL, PER_SECOND },
	{ "bytes", "bytes_per_second", "BYTES/S", "bytes", NULL, PER_SECOND },
	{ "busy", "busy_percent", "BUSY%", "busy", NULL, PERCENT_OF_TIME },
	{ "pinned", "pinned_pages", "PINNED", "pinned", NULL, AS_IT_IS },
	{ "maps", "maps_per_second", "MAPS/S", "maps", NULL, PER_SECOND },
	{ "hits", "hit_percent", "HIT%", "hits", "misses", PERCENT_OF_BOTH },
	{ "revokes", "revokes_per_second", "REV/S", "revokes", NULL, PER_SECOND },
	{ "exits", "exits_per_second", "EXIT/S", "exits", NULL, PER_SECOND },
	{ "interrupts", "interrupts_per_second", "IRQ/S", "interrupts", NULL, PER_SECOND },
	{ "errors", "errors", "ERRORS", "errors", NULL, AS_IT_IS },
};

#define SAMPLES_MAX 1000000000
#define NUM_COLUMNS ARRAY_SIZE(columns)
#define NUM_NAMES 2	/* what comes before them: who it is */

/* ---- readings ---- */

/* Of each column: its attribute, and the other one. NAN where the vGPU has none. */
struct reading {
	char uuid[UUID_SIZE];
	double number[NUM_COLUMNS][2];
};

struct readings {
	struct timespec at;
	struct reading *of;
	unsigned int count;
};

static double read_attr(const struct vgpu *v, const char *name)
{
	struct value value;
	double number = NAN;

	if (name && attr_get(v->path, attr_find(name, ATTR_VGPU), &value))
		number = value.number;
	if (name)
		value_free(&value);
	return number;
}

static void take_readings(const struct host *h, struct readings *r)
{
	unsigned int i, k;

	r->of = must_have(calloc(h->num_vgpus + 1, sizeof(*r->of)));
	r->count = h->num_vgpus;
	clock_gettime(CLOCK_MONOTONIC, &r->at);
	for (i = 0; i < h->num_vgpus; i++) {
		snprintf(r->of[i].uuid, UUID_SIZE, "%s", h->vgpus[i].uuid);
		for (k = 0; k < NUM_COLUMNS; k++) {
			r->of[i].number[k][0] = read_attr(&h->vgpus[i], columns[k].attr);
			r->of[i].number[k][1] = read_attr(&h->vgpus[i], columns[k].other);
		}
	}
}

static const struct reading *reading_of(const struct readings *r, const char *uuid)
{
	unsigned int i;

	for (i = 0; i < r->count; i++)
		if (!strcmp(r->of[i].uuid, uuid))
			return &r->of[i];
	return NULL;
}

static double compute(enum how how, const double *now, const double *then, double seconds)
{
	double delta = now[0] - then[0], rest = now[1] - then[1];

	/* a vGPU of that UUID has been created anew */
	if (how != AS_IT_IS && (delta < 0 || rest < 0))
		return NAN;
	switch (how) {
	case PER_SECOND:
		return delta / seconds;
	case PERCENT_OF_TIME:
		return delta / seconds / 1e9 * 100;
	case PERCENT_OF_BOTH:
		return delta + rest > 0 ? delta / (delta + rest) * 100 : NAN;
	default:
		return now[0];
	}
}

/* ---- rows ---- */

struct row {
	const struct vgpu *vgpu;
	double number[NUM_COLUMNS];
};

/**
 * struct top - what is being watched
 * @sort: index of the column that rows are sorted by
 * @reverse: the least first
 * @delay: seconds between two readings
 * @left: how many samples are still wanted
 * @screen: on a terminal, over and over
 */
struct top {
	unsigned int sort;
	bool reverse;
	double delay;
	unsigned long left;
	bool screen;
};

static const struct top *sorting;	/* qsort() passes nothing on */

static int compare(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;
	double na = a->number[sorting->sort], nb = b->number[sorting->sort];

	/* who has no such number comes last */
	if (isnan(na) != isnan(nb))
		return isnan(na) - isnan(nb);
	if (!isnan(na) && na != nb)
		return (na < nb) != sorting->reverse ? 1 : -1;
	return strcmp(a->vgpu->uuid, b->vgpu->uuid);
}

static struct row *make_rows(const struct top *top, const struct host *h,
			     const struct readings *now, const struct readings *then)
{
	double seconds = now->at.tv_sec - then->at.tv_sec +
			 (now->at.tv_nsec - then->at.tv_nsec) / 1e9;
	struct row *rows = must_have(calloc(h->num_vgpus + 1, sizeof(*rows)));
	unsigned int i, k;

	for (i = 0; i < h->num_vgpus; i++) {
		const struct reading *to = &now->of[i], *from = reading_of(then, to->uuid);

		rows[i].vgpu = &h->vgpus[i];
		for (k = 0; k < NUM_COLUMNS; k++)
			rows[i].number[k] = compute(columns[k].how, to->number[k],
						    (from ? from : to)->number[k], seconds);
	}
	sorting = top;
	qsort(rows, h->num_vgpus, sizeof(*rows), compare);
	return rows;
}

/* As few letters as people need */
static char *short_number(const struct column *column, double number)
{
	static const char units[] = " KMGTPE";
	enum unit unit = attr_find(column->attr, ATTR_VGPU)->unit;
	unsigned int i;

	if (isnan(number))
		return format("-");
	if (column->how == PERCENT_OF_TIME || column->how == PERCENT_OF_BOTH)
		return format("%.1f", number);
	if (unit == UNIT_PAGES)
		number *= sysconf(_SC_PAGESIZE);
	for (i = 0; number >= 9999.5; i++)
		number /= unit == UNIT_COUNT || unit == UNIT_KINDS ? 1000 : 1024;
	return i ? format("%.0f%c", number, units[i]) :
		   format(number < 10 && number != floor(number) ? "%.1f" : "%.0f", number);
}

static struct table *make_table(const struct top *top, const struct host *h,
				const struct row *rows)
{
	static const char *titles[NUM_NAMES + NUM_COLUMNS] = { "VGPU", "PARENT" };
	struct table *t;
	unsigned int i, k;

	for (k = 0; k < NUM_COLUMNS; k++)
		titles[NUM_NAMES + k] = columns[k].title;
	t = table_new(titles, ARRAY_SIZE(titles));
	for (k = 0; k < NUM_COLUMNS; k++)
		table_align_right(t, NUM_NAMES + k);
	for (i = 0; i < h->num_vgpus; i++) {
		/* a screen has little room; so much of a UUID will do for every command */
		table_cell(t, BOLD, format("%.*s", top->screen && !rows[i].vgpu->name ? 8 : -1,
					   vgpu_label(rows[i].vgpu)));
		table_cell(t, PLAIN, format("%s", rows[i].vgpu->parent->address));
		for (k = 0; k < NUM_COLUMNS; k++)
			table_cell(t, k == top->sort ? GREEN : PLAIN,
				   short_number(&columns[k], rows[i].number[k]));
	}
	return t;
}

/* ---- output ---- */

static json_object *number_json(double number)
{
	json_object *o;

	if (isnan(number))
		return NULL;
	o = must_have(json_object_new_double(number));
	json_object_set_serializer(o, json_object_double_to_json_string, "%.3f", NULL);
	return o;
}

static enum status print_sample_json(const struct host *h, const struct row *rows)
{
	json_object *root = must_have(json_object_new_object());
	json_object *list = must_have(json_object_new_array());
	unsigned int i, k;

	json_object_object_add(root, "time", must_have(json_object_new_int64(time(NULL))));
	for (i = 0; i < h->num_vgpus; i++) {
		json_object *o = must_have(json_object_new_object());

		json_object_object_add(o, "uuid", json_text(rows[i].vgpu->uuid));
		json_object_object_add(o, "name", json_text(rows[i].vgpu->name));
		json_object_object_add(o, "parent", json_text(rows[i].vgpu->parent->address));
		json_object_object_add(o, "type", json_text(rows[i].vgpu->type));
		for (k = 0; k < NUM_COLUMNS; k++)
			json_object_object_add(o, columns[k].json,
					       number_json(rows[i].number[k]));
		json_object_array_add(list, o);
	}
	json_object_object_add(root, "vgpus", list);
	return print_json(root);
}

static void print_heading(const struct top *top, const struct host *h, unsigned int width)
{
	char clock[32], *line;
	time_t now = time(NULL);

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	line = format("mvgpuctl top  %s  %u vGPUs  by %s%s%s", clock, h->num_vgpus,
		      columns[top->sort].name, top->reverse ? ", least first" : "",
		      top->screen ? "  (q quits, < > sort, r reverses)" : "");
	printf("%.*s\n", (int)width, line);
	free(line);
}

static enum status print_sample(const struct top *top, const struct host *h,
				const struct row *rows)
{
	unsigned int lines = UINT_MAX, width = INT_MAX;
	struct table *t;

	if (saying_json())
		return print_sample_json(h, rows);
	if (top->screen) {
		fputs("\033[H\033[2J", stdout);
		terminal_size(&lines, &width);
		lines -= lines > 2 ? 2 : 0;
	}
	print_heading(top, h, width);
	t = make_table(top, h, rows);
	table_print(t, "", lines, width);
	table_free(t);
	if (!top->screen && top->left != 1)
		putchar('\n');
	return fflush(stdout) ? ST_FAILURE : ST_OK;
}

/* ---- keys and time ---- */

static bool on_key(struct top *top, int key)
{
	switch (key) {
	case 'q':
	case TERMINAL_END:
		return false;
	case '>':
	case 's':
		top->sort = (top->sort + 1) % NUM_COLUMNS;
		break;
	case '<':
		top->sort = (top->sort + NUM_COLUMNS - 1) % NUM_COLUMNS;
		break;
	case 'r':
		top->reverse = !top->reverse;
		break;
	}
	return true;
}

static struct timespec time_until(const struct timespec *due)
{
	struct timespec now, left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left.tv_sec = due->tv_sec - now.tv_sec;
	left.tv_nsec = due->tv_nsec - now.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_nsec += 1000000000;
		left.tv_sec--;
	}
	return left;
}

enum pause { QUIT, DUE, KEY };

/* Until the next reading is due, or a key wants the rows anew */
static enum pause pause_until(struct top *top, const struct timespec *due)
{
	struct timespec left;
	int key;

	for (;;) {
		left = time_until(due);
		if (left.tv_sec < 0)
			return DUE;
		key = terminal_wait(&left);
		if (key)
			return on_key(top, key) ? KEY : QUIT;
	}
}

static struct timespec due_after(const struct timespec *at, double seconds)
{
	double nsec = at->tv_nsec + (seconds - floor(seconds)) * 1e9;

	return (struct timespec){ .tv_sec = at->tv_sec + (time_t)seconds + (nsec >= 1e9),
				  .tv_nsec = nsec >= 1e9 ? nsec - 1e9 : nsec };
}

static enum status print_rows(const struct top *top, const struct host *h,
			      const struct readings *now, const struct readings *then)
{
	struct row *rows = make_rows(top, h, now, then);
	enum status status = print_sample(top, h, rows);

	free(rows);
	return status;
}

/* Sample after sample; @h and @now are replaced by the last */
static enum status watch(struct top *top, struct host *h, struct readings *now)
{
	struct timespec due = due_after(&now->at, top->delay);
	struct readings then = {};
	enum status status = ST_OK;
	enum pause pause;

	while (!status && (pause = pause_until(top, &due)) != QUIT) {
		if (pause == KEY) {
			if (then.of)
				status = print_rows(top, h, now, &then);
			continue;
		}
		free(then.of);
		then = *now;
		now->of = NULL;
		host_free(h);
		status = host_scan(h, NULL);
		if (status)
			break;
		take_readings(h, now);
		due = due_after(&now->at, top->delay);
		status = print_rows(top, h, now, &then);
		if (!status && !--top->left)
			break;
	}
	free(then.of);
	return status;
}

static enum status set_sort(const struct command *cmd, struct top *top, const char *name)
{
	struct nearest nearest = { .wanted = name };
	unsigned int i;

	for (i = 0; i < NUM_COLUMNS; i++) {
		if (!strcmp(columns[i].name, name)) {
			top->sort = i;
			return ST_OK;
		}
		nearest_try(&nearest, columns[i].name);
	}
	fail(ST_USAGE, "%s: there is no column %s", cmd->name, name);
	nearest_advise(&nearest, "mvgpuctl help top");
	return ST_USAGE;
}

static enum status set_delay(const struct command *cmd, struct top *top, const char *text)
{
	char *end;

	top->delay = strtod(text, &end);
	if (*end || end == text || !(top->delay >= 0.1 && top->delay <= 3600))
		return usage(cmd, "--delay: '%s' is not a number of seconds from 0.1 to 3600",
			     text);
	return ST_OK;
}

static enum status set_option(const struct command *cmd, struct top *top, int letter)
{
	switch (letter) {
	case 'd':
		return set_delay(cmd, top, optarg);
	case 'n':
		return parse_number(cmd, "--samples", optarg, 1, SAMPLES_MAX, &top->left);
	case 'o':
		return set_sort(cmd, top, optarg);
	case 'r':
		top->reverse = true;
		return ST_OK;
	default:
		top->screen = false;
		return ST_OK;
	}
}

static enum status top_run(const struct command *cmd, int argc, char **argv)
{
	struct top top = { .delay = 1, .screen = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) };
	enum status status = ST_OK;
	struct readings now;
	struct host h;
	int letter;

	while (!status && (letter = next_option(cmd, argc, argv)) > 0 && letter != OPT_BAD &&
	       letter != OPT_HELP)
		status = set_option(cmd, &top, letter);
	if (status || letter != OPT_END)
		return status ? status : option_status(letter);
	if (argc != optind)
		return usage(cmd, "it takes no arguments");
	top.screen = top.screen && !saying_json();
	status = host_scan(&h, NULL);
	if (!status) {
		take_readings(&h, &now);
		terminal_take(top.screen);
		status = watch(&top, &h, &now);
		free(now.of);
	}
	host_free(&h);
	return status;
}

static const struct opt top_opts[] = {
	{ 'b', "batch", NULL, "one sample after the other, as text" },
	{ 'd', "delay", "SECONDS", "from one sample to the next, 1 if not given" },
	{ 'n', "samples", "N", "end after N samples" },
	{ 'o', "sort", "COLUMN", "most of that first: commands, bytes, busy, ..." },
	{ 'r', "reverse", NULL, "least first" },
	{}
};

const struct command cmd_top = {
	.name = "top",
	.args = "",
	.summary = "what the vGPUs do, live",
	.help =
		"Shows what each vGPU does a second, until q is pressed. < and > choose the\n"
		"column to sort by: commands, bytes, busy, pinned, maps, hits, revokes, exits,\n"
		"interrupts, errors; r reverses. Where stdin or stdout is no terminal, or with\n"
		"--json, samples follow one another.",
	.opts = top_opts,
	.run = top_run,
};
