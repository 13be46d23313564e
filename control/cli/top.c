/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/top.h"

#include <curses.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/loop.h"
#include "control/cli/rates.h"
#include "control/cli/top_view.h"

#define ROUND_NS      S_NS
#define WORKERS_SHOWN 8 /* on a large screen; ports are what people look for */

const struct method m_top = {
	"top",
	"top",
	"Watch workers and ports by the second, in the terminal",
	NULL,
	METHOD_LOCAL,
	"Keys: left and right choose the column that ports are sorted by (n and t: name and state, 1 to 6: "
	"the numbers), r reverses the order, / asks for a part of the names to show, space or p pauses, "
	"up, down, page up and page down scroll, h helps, q quits.\n"
	"`lanyard stats --watch` is the same for scripts.",
};

struct top {
	struct rpc_client *client;
	struct reading last;
	json_t *rates; /* of the last second; NULL: not yet */
	struct top_view view;
	uint64_t due_ns;
	bool paused, help, typing; /* typing: the filter is being written */
};

/* ---- drawing ---- */

static void put(int y, const char *text, attr_t attr)
{
	char line[TOP_LINE_BYTES];

	if (y >= LINES)
		return;
	snprintf(line, sizeof(line), "%.*s", COLS, text);
	attron(attr);
	mvaddstr(y, 0, line);
	attroff(attr);
	clrtoeol();
}

static void help_draw(void)
{
	static const char *const lines[] = {
		"Keys",
		"  left, right   sort by another column    n t 1-6   by name, state, a number",
		"  r             reverse the order         /         show names with this in them",
		"  p, space      pause                     Enter     end the filter; Esc: without",
		"  up, down, page up, page down            scroll",
		"  h, ?          this                      q         quit",
		NULL,
	};

	for (int y = 0; lines[y]; y++)
		put(y, lines[y], y ? A_NORMAL : A_BOLD);
}

static int workers_draw(const struct top *t, int y)
{
	const json_t *workers = json_object_get(t->rates, "workers"), *worker;
	int shown = LINES / 4 < WORKERS_SHOWN ? LINES / 4 : WORKERS_SHOWN;
	char line[TOP_LINE_BYTES];
	size_t i;

	json_array_foreach (workers, i, worker) {
		if ((int)i >= shown) {
			snprintf(line, sizeof(line), "and %zu more workers",
				 json_array_size(workers) - i);
			put(y++, line, A_NORMAL);
			break;
		}
		top_worker_line(worker, COLS, line, sizeof(line));
		put(y++, line, A_NORMAL);
	}
	return y;
}

static void ports_draw(struct top *t, int y)
{
	char line[TOP_LINE_BYTES];
	const json_t **rows;
	size_t n = top_rows(&t->view, t->rates, &rows), room;

	top_heading(&t->view, COLS, line, sizeof(line));
	put(y++, line, A_REVERSE);
	room = LINES > y ? (size_t)(LINES - y) : 0;
	if (t->view.first + room > n)
		t->view.first = n > room ? n - room : 0;
	for (size_t i = 0; i < room && t->view.first + i < n; i++) {
		top_port_line(rows[t->view.first + i], COLS, line, sizeof(line));
		put(y++, line, A_NORMAL);
	}
	free(rows);
}

static void status_draw(const struct top *t, int y)
{
	char line[TOP_LINE_BYTES];

	snprintf(line, sizeof(line), "%s%s%s%s%s", t->paused ? "paused (p goes on)  " : "",
		 t->typing || t->view.filter[0] ? "names with: " : "", t->view.filter,
		 t->typing ? "_  " : "  ", "h helps, q quits");
	put(y, line, t->typing || t->paused ? A_BOLD : A_NORMAL);
}

static void draw(struct top *t)
{
	char line[TOP_LINE_BYTES];
	int y = 0;

	/* Not clear(): that would make the next refresh() send all of the screen. */
	erase();
	if (t->help) {
		help_draw();
	} else if (t->rates) {
		top_sum_line(t->rates, COLS, line, sizeof(line));
		put(y++, line, A_BOLD);
		y = workers_draw(t, y);
		status_draw(t, y++);
		ports_draw(t, y);
	} else {
		put(0, "reading", A_NORMAL);
	}
	refresh();
}

/* ---- keys ---- */

static void sort_by(struct top *t, int column)
{
	int n = (int)top_n_columns();

	t->view.sort = (unsigned)((column + n) % n);
	t->view.first = 0;
}

static void filter_key(struct top *t, int key)
{
	size_t len = strlen(t->view.filter);

	if (key == '\n' || key == KEY_ENTER) {
		t->typing = false;
	} else if (key == 27) {
		t->typing = false;
		t->view.filter[0] = '\0';
	} else if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && len) {
		t->view.filter[len - 1] = '\0';
	} else if (key > ' ' && key < 127 && len + 1 < sizeof(t->view.filter)) {
		t->view.filter[len] = (char)key;
		t->view.filter[len + 1] = '\0';
	}
	t->view.first = 0;
}

static void scroll_by(struct top *t, int lines)
{
	size_t by = (size_t)abs(lines);

	if (lines > 0)
		t->view.first += by;
	else
		t->view.first -= by < t->view.first ? by : t->view.first;
}

/* False: quit. */
static bool on_key(struct top *t, int key)
{
	int page = LINES > 6 ? LINES - 6 : 1, column;

	if (key == KEY_RESIZE) /* no key: what follows draws anew */
		return true;
	if (t->typing) {
		filter_key(t, key);
		return true;
	}
	if (t->help) {
		t->help = false;
		return key != 'q';
	}
	switch (key) {
	case 'q':
		return false;
	case 'h':
	case '?':
		t->help = true;
		break;
	case 'r':
		t->view.reversed = !t->view.reversed;
		break;
	case 'p':
	case ' ':
		t->paused = !t->paused;
		break;
	case '/':
		t->typing = true;
		break;
	case KEY_LEFT:
		sort_by(t, (int)t->view.sort - 1);
		break;
	case KEY_RIGHT:
		sort_by(t, (int)t->view.sort + 1);
		break;
	case KEY_UP:
	case KEY_DOWN:
		scroll_by(t, key == KEY_UP ? -1 : 1);
		break;
	case KEY_PPAGE:
	case KEY_NPAGE:
		scroll_by(t, key == KEY_PPAGE ? -page : page);
		break;
	default:
		column = key < 128 ? top_column_of((char)key) : -1;
		if (column >= 0)
			sort_by(t, column);
	}
	return true;
}

/* ---- the loop ---- */

/* The next reading; -errno when the switch is gone. */
static int read_next(struct top *t, struct err *err)
{
	struct reading next;
	int rc = reading_take(t->client, NULL, true, &next, err);

	if (rc < 0) {
		reading_free(&next);
		return rc;
	}
	if (t->last.ports && !t->paused) {
		json_decref(t->rates);
		t->rates = rates_json(&t->last, &next);
	}
	reading_free(&t->last);
	t->last = next;
	return 0;
}

/* A terminal that changes its size twice at once may tell of it before the second time. */
static void size_look(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col &&
	    (size.ws_row != LINES || size.ws_col != COLS))
		resizeterm(size.ws_row, size.ws_col);
}

static int top_loop(struct top *t, struct err *err)
{
	for (;;) {
		uint64_t now_ns = loop_now_ns();
		int key, rc;

		if (now_ns >= t->due_ns) {
			rc = read_next(t, err);
			if (rc < 0)
				return rc;
			/* The first rates soon; then once a second, also after a long pause. */
			t->due_ns = loop_now_ns() + (t->rates ? ROUND_NS : ROUND_NS / 5);
			size_look();
			draw(t);
			continue;
		}
		timeout((int)((t->due_ns - now_ns) / MS_NS) + 1);
		key = getch();
		if (key == ERR)
			continue;
		if (!on_key(t, key))
			return 0;
		draw(t);
	}
}

int top_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	struct top t = {.view = {.sort = 2}};
	SCREEN *screen;
	int rc;

	if (cli->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		err_set(err, -EINVAL, "top needs a terminal");
		err_hint(err, "lanyard stats --watch prints the same, with --json for scripts");
		return EXIT_USAGE;
	}
	rc = cli_connect(cli, &t.client, err);
	if (rc < 0)
		return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
	/* Not initscr(): that ends the process where the terminal is unknown. */
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		rpc_close(t.client);
		err_set(err, -EINVAL, "the terminal \"%s\" is not known here",
			getenv("TERM") ? getenv("TERM") : "");
		err_hint(err, "set TERM, or use lanyard stats --watch");
		return EXIT_USAGE;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	rc = top_loop(&t, err);
	endwin();
	delscreen(screen);
	reading_free(&t.last);
	json_decref(t.rates);
	rpc_close(t.client);
	if (rc == -EPIPE)
		err_set(err, rc, "the switch has ended");
	return cli_exit_code(rc);
}
