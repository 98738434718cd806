/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdio.h>

#include "base/limits.h"

static const struct option *find(const struct option_reader *r, str name)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct option *o = &r->options[i];
        bool is_letter = o->letter && name.n == 2 && name.p[0] == '-' && name.p[1] == o->letter;
        if (is_letter || str_is(name, o->name))
            return o;
    }
    return NULL;
}

static enum status unknown(const struct option_reader *r, str name, struct err *err)
{
    err_set(err, STATUS_USAGE, "there is no option %.*s", STR_ARG(name));
    for (size_t i = 0; i < r->count; i++)
        if (name.n > 4 && str_starts(str_of(r->options[i].name), str_sub(name, 0, 5)))
            return err_hint(err, "Did you mean %s?", r->options[i].name);
    return err_hint(err, "Run with --help for the list.");
}

static enum status take(struct option_reader *r, const struct option *o, str *ret, struct err *err)
{
    if (r->at >= r->argc) {
        err_set(err, STATUS_USAGE, "%s needs %s", o->name, o->argument);
        return err_hint(err, "Run with --help for the list of options.");
    }
    *ret = str_of(r->argv[r->at++]);
    return STATUS_OK;
}

enum status option_next(struct option_reader *r, int *ret_id, str *ret_value, str *ret_second, struct err *err)
{
    if (r->at >= r->argc)
        return STATUS_OK;
    str arg = str_of(r->argv[r->at++]), name, value;
    if (!r->only_positional && str_is(arg, "--")) {
        r->only_positional = true;
        return option_next(r, ret_id, ret_value, ret_second, err);
    }
    if (r->only_positional || arg.n < 2 || arg.p[0] != '-') {
        *ret_id = -1;
        *ret_value = arg;
        return STATUS_AGAIN;
    }
    bool has_value = str_cut(arg, '=', &name, &value);
    const struct option *o = find(r, name);
    if (!o)
        return unknown(r, name, err);
    if (o->kind == OPTION_FLAG && has_value)
        return err_set(err, STATUS_USAGE, "%s takes no value", o->name);
    *ret_id = o->id;
    *ret_value = *ret_second = (str){0};
    enum status st = STATUS_OK;
    if (o->kind != OPTION_FLAG && has_value)
        *ret_value = value;
    else if (o->kind != OPTION_FLAG)
        st = take(r, o, ret_value, err);
    if (st == STATUS_OK && o->kind >= OPTION_PAIR)
        st = take(r, o, ret_second, err);
    if (st == STATUS_OK && o->kind == OPTION_TRIPLE)
        st = take(r, o, &value, err); /* option_third() */
    return st == STATUS_OK ? STATUS_AGAIN : st;
}

str option_third(const struct option_reader *r)
{
    return str_of(r->argv[r->at - 1]);
}

void option_print_help(const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &options[i];
        char left[64];
        snprintf(left, sizeof left, "%c%c%c %s %s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? ',' : ' ', o->name, o->argument ? o->argument : "");
        printf("  %-38s %s\n", left, o->help);
    }
}

int command_fail(const struct err *err)
{
    fprintf(stderr, "vitrine: %s\n", err->text);
    if (err->hint[0])
        fprintf(stderr, "  %s\n", err->hint);
    return status_exit(err->status);
}

void command_print_json(struct value v, unsigned flags, int indent)
{
    struct buf text;
    buf_init(&text, LIMIT_JSON_OUTPUT);
    value_to_json_indent(&text, v, flags, indent);
    (void)fwrite(text.p, 1, text.n, stdout);
    (void)putchar('\n');
    buf_release(&text);
}
