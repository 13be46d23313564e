/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#define DEPTH_MAX 64
#define NODES_MAX 200000

/* A node as it is built, with what the reader of the tree need not see. */
struct building {
	struct yaml_node node;
	struct building *next; /* all nodes of the document */
	char *anchor;
	char *text;
	struct yaml_entry *entries;
	unsigned n_room, weight; /* weight: nodes in it when aliases are followed */
	bool open;		 /* its end has not been read */
};

struct yaml_doc {
	char *file;
	struct building *all, *root;
	unsigned n_nodes;
};

struct reader {
	yaml_parser_t parser;
	struct yaml_doc *doc;
	const char *text;
	size_t len;
	struct err *err;
};

int yaml_fail(const struct yaml_doc *doc, const struct yaml_node *node, struct err *err,
	      const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!node)
		return err_set(err, -EINVAL, "%.100s: %s", doc->file, text);
	return err_set(err, -EINVAL, "%.100s:%u:%u: %s", doc->file, node->line, node->column, text);
}

static int fail_at(struct reader *r, const yaml_mark_t *mark, const char *text)
{
	struct yaml_node at = {.line = (unsigned)mark->line + 1,
			       .column = (unsigned)mark->column + 1};

	return yaml_fail(r->doc, &at, r->err, "%s", text);
}

/* True when the line begins with blanks of which one is a tab. */
static bool has_tab_indent(const struct reader *r, size_t line)
{
	const char *at = r->text, *end = at + r->len;

	for (; line && at; line--) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	while (at && at < end && *at == ' ')
		at++;
	return at && at < end && *at == '\t';
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	const char *problem;

	if (yaml_parser_parse(&r->parser, event))
		return 0;
	problem = r->parser.problem ? r->parser.problem : "cannot be read as YAML";
	/* Errors of the character reader have no mark, only a byte. */
	if (r->parser.error == YAML_READER_ERROR)
		return yaml_fail(r->doc, NULL, r->err, "%s at byte %zu", problem,
				 r->parser.problem_offset);
	/* The commonest of its sentences, and the one that says the least. */
	if (!strcmp(problem, "found character that cannot start any token") &&
	    has_tab_indent(r, r->parser.problem_mark.line))
		problem = "a tab cannot indent YAML; use spaces";
	return fail_at(r, &r->parser.problem_mark, problem);
}

static struct building *node_new(struct reader *r, enum yaml_kind kind, const yaml_event_t *event,
				 const yaml_char_t *anchor)
{
	struct building *b;

	if (++r->doc->n_nodes > NODES_MAX) {
		fail_at(r, &event->start_mark, "the file has more than 200000 values");
		return NULL;
	}
	b = calloc(1, sizeof(*b));
	if (!b || (anchor && !(b->anchor = strdup((const char *)anchor)))) {
		free(b);
		err_set(r->err, -ENOMEM, "out of memory");
		return NULL;
	}
	b->node.kind = kind;
	b->node.line = (unsigned)event->start_mark.line + 1;
	b->node.column = (unsigned)event->start_mark.column + 1;
	b->node.text = "";
	b->weight = 1;
	b->next = r->doc->all;
	r->doc->all = b;
	return b;
}

static int entry_add(struct reader *r, struct building *to, struct building *key,
		     struct building *value)
{
	if (to->node.n == to->n_room) {
		unsigned n_room = to->n_room ? to->n_room * 2 : 8;
		struct yaml_entry *more = realloc(to->entries, n_room * sizeof(*more));

		if (!more)
			return err_set(r->err, -ENOMEM, "out of memory");
		to->entries = more;
		to->n_room = n_room;
		to->node.entries = more;
	}
	to->entries[to->node.n++] = (struct yaml_entry){key ? &key->node : NULL, &value->node};
	to->weight += value->weight;
	if (to->weight > NODES_MAX)
		return yaml_fail(r->doc, &value->node, r->err,
				 "aliases make more than 200000 values of the file");
	return 0;
}

static int alias_find(struct reader *r, const yaml_event_t *event, struct building **out)
{
	const char *name = (const char *)event->data.alias.anchor;

	/* Youngest first: YAML lets an anchor be given anew. */
	for (struct building *b = r->doc->all; b; b = b->next) {
		if (!b->anchor || strcmp(b->anchor, name))
			continue;
		if (b->open)
			return fail_at(r, &event->start_mark, "the alias names what it is in");
		*out = b;
		return 0;
	}
	return fail_at(r, &event->start_mark, "the alias names no anchor before it");
}

static int node_read(struct reader *r, yaml_event_t *event, unsigned depth, struct building **out);

static int key_check(struct reader *r, const struct building *map, const struct building *key)
{
	if (key->node.kind != YAML_KIND_SCALAR)
		return yaml_fail(r->doc, &key->node, r->err, "a key must be a text");
	if (yaml_get(&map->node, key->node.text))
		return yaml_fail(r->doc, &key->node, r->err, "\"%.60s\" is given twice",
				 key->node.text);
	return 0;
}

/* Reads entries up to the end of a list or map. */
static int entries_read(struct reader *r, struct building *into, unsigned depth)
{
	struct building *key = NULL;
	yaml_event_t event;
	int rc;

	into->open = true;
	for (;;) {
		struct building *child;

		rc = next_event(r, &event);
		if (rc < 0)
			return rc;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			into->open = false;
			return 0;
		}
		rc = node_read(r, &event, depth + 1, &child);
		yaml_event_delete(&event);
		if (rc < 0)
			return rc;
		if (into->node.kind == YAML_KIND_MAP && !key) {
			key = child;
			rc = key_check(r, into, key);
		} else {
			rc = entry_add(r, into, key, child);
			key = NULL;
		}
		if (rc < 0)
			return rc;
	}
}

static int node_read(struct reader *r, yaml_event_t *event, unsigned depth, struct building **out)
{
	struct building *b;

	if (depth > DEPTH_MAX)
		return fail_at(r, &event->start_mark, "nested more than 64 deep");
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return alias_find(r, event, out);
	case YAML_SCALAR_EVENT:
		b = node_new(r, YAML_KIND_SCALAR, event, event->data.scalar.anchor);
		if (!b)
			return -EINVAL;
		if (memchr(event->data.scalar.value, '\0', event->data.scalar.length))
			return fail_at(r, &event->start_mark, "a text holds a zero byte");
		b->text = strdup((const char *)event->data.scalar.value);
		if (!b->text)
			return err_set(r->err, -ENOMEM, "out of memory");
		b->node.text = b->text;
		b->node.quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
		*out = b;
		return 0;
	case YAML_SEQUENCE_START_EVENT:
		b = node_new(r, YAML_KIND_LIST, event, event->data.sequence_start.anchor);
		break;
	case YAML_MAPPING_START_EVENT:
		b = node_new(r, YAML_KIND_MAP, event, event->data.mapping_start.anchor);
		break;
	default:
		return fail_at(r, &event->start_mark, "cannot be read as YAML");
	}
	if (!b)
		return -EINVAL;
	*out = b;
	return entries_read(r, b, depth);
}

/* Reads the stream: exactly one document. */
static int stream_read(struct reader *r)
{
	bool done = false;

	while (!done) {
		yaml_event_t event;
		int rc = next_event(r, &event);

		if (rc < 0)
			return rc;
		switch (event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (r->doc->root)
				rc = fail_at(r, &event.start_mark,
					     "a second document begins; one a file is read");
			break;
		case YAML_STREAM_END_EVENT:
			done = true;
			break;
		default:
			rc = node_read(r, &event, 0, &r->doc->root);
		}
		yaml_event_delete(&event);
		if (rc < 0)
			return rc;
	}
	return r->doc->root ? 0 : yaml_fail(r->doc, NULL, r->err, "the file is empty");
}

int yaml_load(const char *text, size_t len, const char *file, struct yaml_doc **out,
	      struct err *err)
{
	/* Windows' editors begin a file with it; the scanner takes it for a first column. */
	size_t mark = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
	struct reader r = {.text = text + mark, .len = len - mark, .err = err};
	int rc;

	r.doc = calloc(1, sizeof(*r.doc));
	if (!r.doc || !(r.doc->file = strdup(file))) {
		free(r.doc);
		return err_set(err, -ENOMEM, "out of memory");
	}
	if (len > YAML_MAX_BYTES) {
		rc = yaml_fail(r.doc, NULL, err, "the file is larger than 1 MiB");
	} else if (!yaml_parser_initialize(&r.parser)) {
		rc = err_set(err, -ENOMEM, "out of memory");
	} else {
		yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text, r.len);
		rc = stream_read(&r);
		yaml_parser_delete(&r.parser);
	}
	if (rc < 0) {
		yaml_doc_free(r.doc);
		return rc;
	}
	*out = r.doc;
	return 0;
}

int yaml_load_fd(int fd, const char *file, struct yaml_doc **out, struct err *err)
{
	char *text = malloc(YAML_MAX_BYTES + 1);
	size_t len = 0;
	int rc = 0;

	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	while (len <= YAML_MAX_BYTES) {
		ssize_t n = read(fd, text + len, YAML_MAX_BYTES + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_set(err, -errno, "cannot read \"%s\": %s", file, strerror(errno));
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (rc == 0)
		rc = yaml_load(text, len, file, out, err);
	free(text);
	return rc;
}

void yaml_doc_free(struct yaml_doc *doc)
{
	struct building *b;

	if (!doc)
		return;
	while ((b = doc->all)) {
		doc->all = b->next;
		free(b->anchor);
		free(b->text);
		free(b->entries);
		free(b);
	}
	free(doc->file);
	free(doc);
}

const struct yaml_node *yaml_root(const struct yaml_doc *doc)
{
	return &doc->root->node;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	if (!map || map->kind != YAML_KIND_MAP)
		return NULL;
	for (unsigned i = 0; i < map->n; i++)
		if (!strcmp(map->entries[i].key->text, key))
			return map->entries[i].value;
	return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
	return !node || (node->kind == YAML_KIND_SCALAR && !node->quoted &&
			 (!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null")));
}
