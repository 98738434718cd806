/* SPDX-License-Identifier: Apache-2.0 */
/* templates — where templates come from, and the filters that are ours. */
#include "site/render/templates.h"

#include "assets/assets.h"
#include "base/fs.h"
#include "base/limits.h"
#include "codec/url.h"
#include "site/app.h"
#include "site/links.h"
#include "site/render/cell_html.h"
#include "site/render/plugin_functions.h"
#include "site/template_files.h"
#include "template/eval.h"

#define BUILT_IN "default:" /* before a name: the template of the program, whatever --template-dir holds */

/* "templates/pages/x.html": errors name it, and visitors need not learn where the folder lies. */
static str shown_path(str path, str name)
{
    if (path.n <= name.n + 1)
        return path;
    size_t slash = str_rfind_char(str_sub(path, 0, path.n - name.n - 1), '/');
    return slash == STR_NPOS ? path : str_from(path, slash + 1);
}

static enum status load(void *self, str name, struct arena *a, str *ret_source, str *ret_origin, struct err *err)
{
    const char *path;
    uint64_t stamp;
    if (template_files_find(self, name, a, &path, &stamp)) {
        *ret_origin = shown_path(str_of(path), name);
        return fs_read_file(path, LIMIT_TEMPLATE_SOURCE, a, ret_source, err);
    }
    if (str_starts(name, STR(BUILT_IN)))
        name = str_from(name, sizeof BUILT_IN - 1);
    const struct asset *asset = asset_find(ARENA_CAT(a, STR("templates/"), name));
    if (!asset)
        return err_set(err, STATUS_NOT_FOUND, "There is no template %.*s", STR_ARG(name));
    *ret_source = asset->data;
    *ret_origin = name;
    return STATUS_OK;
}

/* Those of the program never change. */
static uint64_t stamp(void *self, str name)
{
    struct arena *a = arena_new(0);
    const char *path;
    uint64_t out = 1;
    if (!template_files_find(self, name, a, &path, &out))
        out = 1;
    arena_free(a);
    return out;
}

static enum status filter_css_class(struct eval *ev, struct value in, const struct value_args *args, struct value *ret)
{
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_str(css_class(a, value_to_str(a, in)));
    return STATUS_OK;
}

static enum status filter_escape_sqlite(struct eval *ev, struct value in, const struct value_args *args,
                                        struct value *ret)
{
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_str(query_identifier(a, value_to_str(a, in)));
    return STATUS_OK;
}

static enum status filter_quote_plus(struct eval *ev, struct value in, const struct value_args *args, struct value *ret)
{
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_str(url_quote_plus(a, value_to_str(a, in)));
    return STATUS_OK;
}

/* Every character that could end a CSS string as a \XXXXXX escape. */
static enum status filter_escape_css(struct eval *ev, struct value in, const struct value_args *args, struct value *ret)
{
    struct arena *a = eval_arena(ev);
    str s = value_to_str(a, in);
    struct buf b;
    (void)args;
    buf_init(&b, LIMIT_TEMPLATE_OUTPUT);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == '"' || c == '\'' || c == '\\' || c == '<' || c == '>' || c == '&')
            buf_printf(&b, "\\%06X", c);
        else
            buf_putc(&b, (char)c);
    }
    *ret = value_safe(arena_str(a, buf_str(&b)));
    buf_release(&b);
    return STATUS_OK;
}

/* text|render_markdown(extensions=[...]) and {% markdown extensions=[...] %} text {% endmarkdown %}: arguments as those
 * of the function of that name. */
static enum status filter_render_markdown(struct eval *ev, struct value in, const struct value_args *args,
                                          struct value *ret)
{
    struct arena *a = eval_arena(ev);
    struct html_extra extra;
    unsigned flags = cell_html_options(a, eval_arg(args, 0, "extensions"), eval_arg(args, 1, "extra_tags"),
                                       eval_arg(args, 2, "extra_attrs"), &extra);
    *ret = cell_html_markdown(a, value_is_null(in) ? (str){0} : value_to_str(a, in), &extra, flags);
    return STATUS_OK;
}

enum status templates_new(struct site *s, str dir, struct err *err)
{
    enum status st = template_files_new(dir, &s->template_files, err);
    if (st != STATUS_OK)
        return st;
    const struct template_loader loader = {.self = s->template_files, .load = load, .stamp = stamp};
    s->templates = template_env_new(&loader);
    template_env_add_filter(s->templates, "to_css_class", filter_css_class);
    template_env_add_filter(s->templates, "escape_sqlite", filter_escape_sqlite);
    template_env_add_filter(s->templates, "quote_plus", filter_quote_plus);
    template_env_add_filter(s->templates, "escape_css_string", filter_escape_css);
    plugin_functions_add(s->templates);
    template_env_add_filter(s->templates, "render_markdown", filter_render_markdown);
    template_env_add_block_tag(s->templates, "markdown", filter_render_markdown);
    return STATUS_OK;
}
