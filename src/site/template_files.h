/* SPDX-License-Identifier: Apache-2.0 */
/* template_files: the folder of --template-dir: which files are there, and a number that grows when one of them
 * changes. Threads: any; one short lock. Looking blocks for a few stat calls. */
#ifndef VITRINE_SITE_TEMPLATE_FILES_H
#define VITRINE_SITE_TEMPLATE_FILES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct template_files;

/* dir: copied; empty = there is none, and all below says so. IO, NOT_FOUND, INVALID (no folder). */
enum status template_files_new(str dir, struct template_files **ret, struct err *err) MUST_USE;
void template_files_free(struct template_files *f); /* NULL is fine */

/* The file of that template name. *ret_path: in `a`; *ret_stamp: another number after each change. */
bool template_files_find(struct template_files *f, str name, struct arena *a, const char **ret_path,
                         uint64_t *ret_stamp) MUST_USE;
/* 0 without a folder; else it grows with every change of a file below it, seen before this call returns (changes that
 * inotify does not report, as behind a link into another folder, within a second). */
uint64_t template_files_generation(struct template_files *f);
/* Names of the templates under pages/ that hold a {variable}, sorted; copied into `a`. */
size_t template_files_patterns(struct template_files *f, struct arena *a, str **ret_names);

#endif
