// SPDX-License-Identifier: MIT
/*
 * Owns the names of vGPUs. The kernel knows UUIDs only, so a vGPU with a name has the UUID
 * that is computed from the name (RFC 9562, version 5): the same on every host and after
 * each boot. Files below /run remember which of them have been used, for the way back; a
 * file counts only if its name leads to its UUID, so that a stale or wrong one is harmless.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "mvgpuctl.h"

#define NAMES_DIR RUN_DIR "/names"
#define NAME_MAX_LEN 64

bool uuid_valid(const char *text)
{
	uuid_t uuid;

	return !uuid_parse(text, uuid);
}

/**
 * uuid_make() - a random UUID
 * @uuid: takes it
 */
void uuid_make(char uuid[UUID_SIZE])
{
	uuid_t bytes;

	uuid_generate_random(bytes);
	uuid_unparse_lower(bytes, uuid);
}

/**
 * name_valid() - whether a vGPU may have this name
 * @name: up to 64 letters, digits and ._-, the first a letter
 */
bool name_valid(const char *name)
{
	const char *c;

	if (!isalpha(*name) || strlen(name) > NAME_MAX_LEN || uuid_valid(name))
		return false;
	for (c = name; *c; c++)
		if (!isalnum(*c) && !strchr("._-", *c))
			return false;
	return true;
}

/**
 * name_to_uuid() - the UUID of a vGPU with a name
 * @name: the name
 * @uuid: takes the UUID
 */
void name_to_uuid(const char *name, char uuid[UUID_SIZE])
{
	/* what makes them different from other people's: a random UUID, for good */
	static const char namespace[] = "7a9f3c52-64d1-4f0b-9a55-3d0b6c1e8f27";
	uuid_t base, bytes;

	uuid_parse(namespace, base);
	uuid_generate_sha1(bytes, base, name, strlen(name));
	uuid_unparse_lower(bytes, uuid);
}

/**
 * name_of() - the name of a vGPU
 * @uuid: its UUID
 *
 * Return: the name, for free(), or NULL if it has none.
 */
char *name_of(const char *uuid)
{
	char *name = sysfs_read(NAMES_DIR, uuid);
	char should[UUID_SIZE];

	if (!name)
		return NULL;
	if (name_valid(name)) {
		name_to_uuid(name, should);
		if (!strcmp(uuid, should))
			return name;
	}
	free(name);
	return NULL;
}

/**
 * name_record() - remember the name of a vGPU
 * @uuid: what name_to_uuid() said
 * @name: its name
 *
 * Return: ST_OK, or why not, which has been said.
 */
enum status name_record(const char *uuid, const char *name)
{
	char *path = format("%s/%s", NAMES_DIR, uuid);
	enum status status = ST_OK;
	FILE *file;

	mkdir(RUN_DIR, 0755);
	mkdir(NAMES_DIR, 0755);
	file = fopen(path, "we");
	if (file)
		fprintf(file, "%s\n", name);
	if (!file || fclose(file))
		status = fail_errno(errno, "vGPU %s: remembering the name in %s", name, path);
	free(path);
	return status;
}

void name_forget(const char *uuid)
{
	char *path = format("%s/%s", NAMES_DIR, uuid);

	unlink(path);
	free(path);
}
