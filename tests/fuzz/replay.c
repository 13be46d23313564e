/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: replay FILE|FOLDER…: runs a fuzz target on each file, in a block of exactly its size so that the
 * address sanitizer sees a read beyond it. For builds without libFuzzer.
 */
#include <dirent.h>
#include <errno.h>

#include "tests/fuzz/input.h"

static unsigned n_run;

static void file_run(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	data = malloc((size_t)size);
	if (fread(data, 1, (size_t)size, f) != (size_t)size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	fclose(f);
	/* A target that stops says which file it was. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	n_run++;
}

static void folder_run(const char *path)
{
	struct dirent **names;
	char file[4096];
	int n = scandir(path, &names, NULL, alphasort);

	if (n < 0) {
		if (errno == ENOTDIR)
			file_run(path);
		else if (errno != ENOENT) /* no crash was ever found: no folder */
			exit(1);
		return;
	}
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			file_run(file);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		folder_run(argv[i]);
	printf("%u inputs\n", n_run);
	return n_run ? 0 : 1;
}
