/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/hub_restore.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static void say_space(void *arg, str space, str taken, const struct err *why)
{
    (void)arg;
    if (why)
        printf("%.*s: NOT brought back: %s\n", STR_ARG(space), why->text);
    else
        printf("%.*s: as it was at %.*s\n", STR_ARG(space), STR_ARG(taken));
    (void)fflush(stdout);
}

static void say_done(str dir, const struct rebuilt_options *o, const struct rebuilt_report *r)
{
    printf("\nThe hub %.*s is in %.*s, as it was at %.*s: spaces brought back: %lld.\n", STR_ARG(r->origin),
           STR_ARG(dir), STR_ARG(r->taken), (long long)r->spaces);
    if (r->settings)
        printf("hub.yaml is that of the backup: look whether its addresses, files and folders are right here too.\n");
    if (r->versions)
        printf("Spaces that run this program now, for theirs is not on this machine: %lld\n", (long long)r->versions);
    if (o->lost)
        printf("The keys are new: apps with codes and recovery codes are gone. People sign in with their password, and "
               "set them up anew.\n");
    printf(
        "Everybody signs in again; links in mails and invitations are ended. Whoever was sent away since then must be "
        "so again.\n\n"
        "Start it:\n  vitrine up --dir %.*s      (as a service: systemctl enable --now vitrine-hub)\n",
        STR_ARG(dir));
    (void)fflush(stdout);
}

enum status hub_restore_whole(struct arena *a, str dir, struct rebuilt_options *o, struct err *err)
{
    struct rebuilt_report r;
    char whole[PATH_MAX];
    if (o->keys.n && o->lost) {
        err_set(err, STATUS_USAGE, "either the keys are in a file, or they are lost");
        return err_hint(err, "One of --keys FILE and --new.");
    }
    /* sandboxes want absolute paths */
    if (!realpath(arena_cstr(a, o->from), whole)) {
        err_set(err, STATUS_NOT_FOUND, "there is no folder '%.*s'", STR_ARG(o->from));
        return err_hint(err, "--from names the copied folder \"backups\" of the old machine.");
    }
    o->from = arena_str(a, str_of(whole));
    o->say = say_space;
    enum status st = rebuilt_from(a, dir, o, &r, err);
    if (st != STATUS_OK)
        return st;
    say_done(dir, o, &r);
    if (!r.failed)
        return STATUS_OK;
    err_set(err, STATUS_IO, "%lld spaces did not come back; the lines above say why", (long long)r.failed);
    return err_hint(err,
                    "The rest is there. Of such a space try an older backup: vitrine hub restore SPACE --at TIME, "
                    "with its folder of backups in %.*s/backups.",
                    STR_ARG(dir));
}
