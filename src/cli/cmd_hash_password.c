/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_hash_password — a password in (asked for twice on a terminal, else the first line of standard input), its hash
 * out, for plugins.datasette-auth-passwords.NAME_password_hash. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/command.h"
#include "codec/password.h"

#define CTRL_C 3 /* a byte like others while signals wait */

enum { OPT_PBKDF2, OPT_NO_CONFIRM, OPT_HELP };
static const struct option options[] = {
    {"--pbkdf2", 0, OPTION_FLAG, NULL, "Write pbkdf2_sha256, which Datasette's plugin reads too (default argon2id)",
     OPT_PBKDF2},
    {"--no-confirm", 0, OPTION_FLAG, NULL, "Read the password from standard input, once", OPT_NO_CONFIRM},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

/* One line of standard input without its end; false at the end of input or when it does not fit. */
static bool read_line(char *out, size_t size, size_t *ret_n)
{
    size_t n = 0;
    for (;;) {
        char c;
        ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if ((got <= 0 && !n) || (got > 0 && c == CTRL_C))
            return false;
        if (got <= 0 || c == '\n')
            break;
        if (n == size)
            return false;
        out[n++] = c;
    }
    if (n && out[n - 1] == '\r')
        n--;
    *ret_n = n;
    return true;
}

/* Nothing typed is shown. Signals that would end us wait meanwhile, so that the terminal is never left mute. */
static bool ask(const char *prompt, char *out, size_t size, size_t *ret_n)
{
    struct termios before, mute;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    mute = before;
    mute.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    mute.c_cc[VEOL] = CTRL_C; /* ends the line, else it would wait for Enter */
    tcsetattr(STDIN_FILENO, TCSADRAIN, &mute);
    fputs(prompt, stderr);
    bool ok = read_line(out, size, ret_n);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    fputc('\n', stderr);
    return ok;
}

static enum status read_password(bool confirm, char *out, size_t *ret_n, struct err *err)
{
    char again[LIMIT_PASSWORD];
    size_t n;
    if (!confirm) {
        if (!read_line(out, LIMIT_PASSWORD, ret_n))
            return err_set(err, STATUS_INVALID, "standard input holds no password of at most %d bytes", LIMIT_PASSWORD);
        return STATUS_OK;
    }
    if (!ask("Password: ", out, LIMIT_PASSWORD, ret_n) || !ask("The same again: ", again, sizeof again, &n))
        return err_set(err, STATUS_CANCELLED, "no password was given");
    bool same = n == *ret_n && memcmp(out, again, n) == 0;
    explicit_bzero(again, sizeof again);
    return same ? STATUS_OK : err_set(err, STATUS_INVALID, "the two passwords differ");
}

static int print_help(void)
{
    printf("Usage: vitrine hash-password [OPTIONS]\n\n"
           "Prints the hash of a password for the configuration:\n"
           "  plugins.datasette-auth-passwords.NAME_password_hash\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

int cmd_hash_password(int argc, char **argv)
{
    struct option_reader r = {options, ARRAY_LEN(options), argc, argv, 0, false};
    struct err err = ERR_INIT;
    enum password_kind kind = PASSWORD_ARGON2ID;
    bool confirm = isatty(STDIN_FILENO);
    char password[LIMIT_PASSWORD];
    size_t n = 0;
    int id;
    str value, second, hash;
    enum status st;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        if (id == OPT_HELP)
            return print_help();
        if (id == OPT_PBKDF2)
            kind = PASSWORD_PBKDF2;
        if (id == OPT_NO_CONFIRM)
            confirm = false;
        if (id < 0) {
            err_set(&err, STATUS_USAGE, "a password is not given as an argument: others could read it there");
            err_hint(&err, "Type it when asked, or send it to standard input.");
            return command_fail(&err);
        }
    }
    struct arena *a = arena_new(0);
    if (st == STATUS_OK)
        st = read_password(confirm, password, &n, &err);
    if (st == STATUS_OK)
        st = password_hash(a, str_make(password, n), kind, &hash, &err);
    explicit_bzero(password, sizeof password);
    if (st == STATUS_OK)
        printf("%.*s\n", STR_ARG(hash));
    arena_free(a);
    return st == STATUS_OK ? 0 : command_fail(&err);
}
