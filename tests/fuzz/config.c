/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration: files of the state folder, damaged in any way, and documents that a user applies.
 *
 * Input    The first byte's lowest bit: a document in YAML follows, or files, which a zero byte ends
 *          each. The other bits say of which files the checksum is made right.
 * How      What is loaded can be planned by apply or is refused in a sentence, and comes back the same when
 *          it was saved, and when it was written as YAML. The switch has no ports and no workers.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/daemon/apply.h"
#include "control/daemon/config.h"
#include "control/yaml/document.h"
#include "switch/internal.h"
#include "tests/fuzz/input.h"

static char dir[64];
static json_t *sealed; /* the documents whose checksum is right */

static void folder_empty(void)
{
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));)
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

static void folder_remove(void)
{
	folder_empty();
	rmdir(dir);
}

static void folder_make(void)
{
	const char *memory = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	snprintf(dir, sizeof(dir), "%s/fuzz-config-XXXXXX", memory);
	FUZZ_CHECK(mkdtemp(dir), "%s: %s", dir, strerror(errno));
	atexit(folder_remove);
}

/* ---- documents ---- */

/* A daemon whose switch is empty. */
static void daemon_make(struct daemon *d, struct switch_ *sw)
{
	memset(d, 0, sizeof(*d));
	memset(sw, 0, sizeof(*sw));
	TAILQ_INIT(&sw->bridges);
	TAILQ_INIT(&sw->ports);
	TAILQ_INIT(&sw->watches);
	d->sw = sw;
	d->types = port_types;
	d->store.dir_fd = -1;
}

/* What is written is read as the same. */
static void text_round_trip(const json_t *document)
{
	struct err err = ERR_NONE;
	struct yaml_doc *doc;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	json_t *again, *a, *b;

	document_write(f, document);
	fclose(f);
	FUZZ_CHECK(yaml_load(text, size, "shown", &doc, &err) == 0, "%s in:\n%s", err.text, text);
	FUZZ_CHECK(document_read(doc, &again, &err) == 0, "%s in:\n%s", err.text, text);
	a = config_normal(document);
	b = config_normal(again);
	FUZZ_CHECK(json_equal(a, b), "not the same when read again:\n%s", text);
	json_decref(a);
	json_decref(b);
	json_decref(again);
	yaml_doc_free(doc);
	free(text);
}

/* True when apply would take it. */
static bool document_plan(const json_t *document)
{
	struct err err = ERR_NONE;
	struct switch_ sw;
	struct apply *a;
	struct daemon d;
	json_t *plan;

	daemon_make(&d, &sw);
	if (apply_plan(&d, document, &a, &err) < 0) {
		FUZZ_CHECK(err.text[0], "refused without a word");
		return false;
	}
	plan = apply_plan_json(a, 4096);
	FUZZ_CHECK(json_is_array(plan), "no plan");
	FUZZ_CHECK(apply_n_steps(a) == json_object_size(json_object_get(document, "bridges")) +
					       json_object_size(json_object_get(document, "ports")),
		   "%zu steps", apply_n_steps(a));
	json_decref(plan);
	apply_free(a);
	return true;
}

static void yaml_try(const uint8_t *data, size_t size)
{
	struct err err = ERR_NONE;
	struct yaml_doc *doc;
	json_t *document;

	if (yaml_load((const char *)data, size, "f", &doc, &err) < 0)
		return;
	if (document_read(doc, &document, &err) == 0) {
		document_plan(document);
		text_round_trip(document);
		json_decref(document);
	} else {
		FUZZ_CHECK(!strncmp(err.text, "f:", 2), "%s", err.text);
	}
	yaml_doc_free(doc);
}

/* ---- files ---- */

static uint64_t checksum(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

static void file_write(const char *name, const uint8_t *text, size_t len, bool seal)
{
	char path[128], *inner;
	json_t *document = seal ? json_loadb((const char *)text, len, 0, NULL) : NULL;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	FUZZ_CHECK(f, "%s", strerror(errno));
	if (document) {
		inner = json_dumps(document,
				   JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
		fprintf(f, "{\"format\":1,\"checksum\":\"%016" PRIx64 "\",\n\"document\":%s}\n",
			checksum(inner), inner);
		/* As it is written: numbers have 15 digits there. */
		json_array_append_new(sealed, json_loads(inner, 0, NULL));
		free(inner);
	} else {
		fwrite(text, 1, len, f);
	}
	fclose(f);
	json_decref(document);
}

static void files_write(const uint8_t *at, size_t left, uint8_t seals)
{
	static const char *const names[] = {"config.json",   "config.1.json",	"config.2.json",
					    "config.3.json", "config.json.new", "config.json.old"};

	for (unsigned i = 0; i < 6 && left; i++) {
		const uint8_t *end = memchr(at, 0, left);
		size_t len = end ? (size_t)(end - at) : left;

		if (len)
			file_write(names[i], at, len, seals >> i & 1);
		at += len + (end != NULL);
		left -= len + (end != NULL);
	}
}

/* Saved again it is the newest, whole, and the same. */
static void save_try(struct store *s, const json_t *document)
{
	struct err err = ERR_NONE;
	json_t *again;

	FUZZ_CHECK(store_save(s, document, &err) == 0, "%s", err.text);
	if (!json_equal(document, json_null()) && store_read(s, 0, &again, &err) == 0) {
		FUZZ_CHECK(json_equal(document, again), "another one was saved");
		json_decref(again);
	}
}

/* Nothing is loaded that is not whole. */
static void loaded_check(const json_t *document)
{
	const json_t *one;
	bool found = false;
	size_t i;

	json_array_foreach (sealed, i, one)
		found |= json_equal(one, document);
	FUZZ_CHECK(found, "a damaged file was loaded");
}

static void files_try(void)
{
	json_t *document, *warnings = json_array();
	struct err err = ERR_NONE;
	struct store s = {.dir_fd = -1};

	FUZZ_CHECK(store_open(&s, dir, &err) == 0, "%s", err.text);
	FUZZ_CHECK(store_load(&s, &document, warnings, &err) == 0, "%s", err.text);
	if (document) {
		json_t *normal = config_normal(document), *other = json_pack("{si}", "other", 1);

		loaded_check(document);
		FUZZ_CHECK(normal, "no normal form");
		if (document_plan(document))
			text_round_trip(normal);
		save_try(&s, document);
		save_try(&s, other);
		json_decref(normal);
		json_decref(other);
		json_decref(document);
	}
	json_decref(warnings);
	store_close(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1) {
		yaml_try(data + 1, size - 1);
		return 0;
	}
	if (!dir[0])
		folder_make();
	sealed = json_array();
	files_write(data + 1, size - 1, data[0] >> 1);
	files_try();
	folder_empty();
	json_decref(sealed);
	return 0;
}
