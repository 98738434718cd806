/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a template: it compiles or says why not; what compiles is rendered within a budget of steps and bytes. A
 * failure leaves nothing in the output. */
#include <stdlib.h>

#include "template/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 2000
#define BYTES_MAX (1 << 20)

static str self_source;

/* The input includes, extends and imports itself under any name. */
static enum status load(void *self, str name, struct arena *a, str *ret_source, str *ret_origin, struct err *err)
{
    (void)self, (void)name, (void)a, (void)err;
    *ret_source = self_source;
    *ret_origin = STR("fuzz");
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    self_source = str_make((const char *)data, size);
    struct template_env *env = template_env_new(&(struct template_loader){.load = load});
    template_env_max_steps(env, STEPS_MAX);
    struct arena *a = arena_new(BYTES_MAX * 4);
    struct err err = {0};
    struct value vars = value_dict(a), rows = value_list(a);
    for (int i = 0; i < 3; i++) {
        struct value row = value_dict(a);
        VALUE_SET(row, "id", value_int(i));
        VALUE_SET(row, "name", value_cstr("<b>'x' & \"y\""));
        value_push(rows, row);
    }
    VALUE_SET(vars, "rows", rows);
    VALUE_SET(vars, "n", value_int(7));
    VALUE_SET(vars, "s", value_cstr("text"));
    struct buf out;
    buf_init(&out, BYTES_MAX);
    if (template_render(env, STR("fuzz.html"), vars, a, &out, &err) != STATUS_OK && out.n != 0)
        abort();
    buf_release(&out);
    arena_free(a);
    template_env_free(env);
    return 0;
}
