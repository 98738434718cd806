/* SPDX-License-Identifier: Apache-2.0 */
/* Where state lies, and the secret. */
#include "site/state.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "test.h"

static void clear_environment(void)
{
    unsetenv("STATE_DIRECTORY");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
}

static struct state_paths find(struct arena *a, const char *internal, const char *folder, const char *served)
{
    struct state_paths p;
    state_find(a, &(struct state_options){str_of(internal), str_of(folder), str_of(served)}, &p);
    return p;
}

TEST(places_in_order)
{
    struct arena *a = arena_new(0);
    clear_environment();
    struct state_paths p = find(a, "", "", "/");
    CHECK(!p.folder.n && !p.internal.n && !p.secret.n);
    setenv("HOME", "/home/x", 1);
    p = find(a, "", "", "/");
    CHECK(str_starts(p.internal, STR("/home/x/.local/state/vitrine/root-")) &&
          str_ends(p.internal, STR("/internal.db")));
    CHECK(str_ends(p.secret, STR("/secret")));
    setenv("XDG_STATE_HOME", "relative", 1);
    CHECK(str_starts(find(a, "", "", "/").folder, STR("/home/x/")));
    setenv("XDG_STATE_HOME", "/xdg", 1);
    str usr = find(a, "", "", "/usr").folder, lib = find(a, "", "", "/usr/lib").folder;
    CHECK(str_starts(usr, STR("/xdg/vitrine/usr-")) && !str_eq(usr, lib));
    CHECK(str_eq(usr, find(a, "", "", "/usr/../usr/").folder)); /* one folder, one state */
    setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
    CHECK_STR(find(a, "", "", "/usr").folder, "/var/lib/one");
    CHECK_STR(find(a, "", "/given", "/usr").internal, "/given/internal.db");
    p = find(a, "/vol/i.db", "", "/usr");
    CHECK_STR(p.internal, "/vol/i.db");
    CHECK_STR(p.secret, "/vol/i.db-secret");
    p = find(a, "/vol/i.db", "/given", "/usr");
    CHECK_STR(p.internal, "/vol/i.db");
    CHECK_STR(p.secret, "/given/secret");
    arena_free(a);
}

TEST(secret_is_made_once)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct stat meta;
    char folder[] = "/tmp/vitrine-state-XXXXXX";
    str one, two;
    CHECK(mkdtemp(folder));
    str path = arena_printf(a, "%s/deep/er/secret", folder);
    CHECK(state_secret(a, path, &one, &err) == STATUS_OK);
    CHECK_INT(one.n, 64);
    CHECK(state_secret(a, path, &two, &err) == STATUS_OK && str_eq(one, two));
    CHECK(stat(path.p, &meta) == 0 && (meta.st_mode & 0777) == 0600);
    CHECK(fs_write_atomic(path.p, STR("short\n"), 0600, &err) == STATUS_OK);
    CHECK(state_secret(a, path, &two, &err) == STATUS_CONFIG && str_find(str_of(err.text), path) != STR_NPOS);
    char big[5000];
    memset(big, 'x', sizeof big);
    CHECK(fs_write_atomic(path.p, str_make(big, sizeof big), 0600, &err) == STATUS_OK);
    CHECK(state_secret(a, path, &two, &err) == STATUS_TOO_LARGE);
    CHECK(state_secret(a, arena_printf(a, "%s/x/secret", path.p), &two, &err) != STATUS_OK);
    unlink(path.p);
    rmdir(arena_printf(a, "%s/deep/er", folder).p);
    rmdir(arena_printf(a, "%s/deep", folder).p);
    rmdir(folder);
    arena_free(a);
}
