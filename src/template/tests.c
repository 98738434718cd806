/* SPDX-License-Identifier: Apache-2.0 */
/* tests — what may stand behind "is". */
#include "template/filters.h"

#define T(name, expression)                                                                                            \
    static enum status t_##name(struct eval *ev, struct value in, const struct value_args *args, bool *ret)            \
    {                                                                                                                  \
        struct value arg = eval_arg(args, 0, NULL);                                                                    \
        bool comparable;                                                                                               \
        (void)ev, (void)arg, (void)comparable;                                                                         \
        *ret = (expression);                                                                                           \
        return STATUS_OK;                                                                                              \
    }
T(defined, in.kind != VALUE_UNDEFINED)
T(undefined, in.kind == VALUE_UNDEFINED)
T(none, in.kind == VALUE_NONE)
T(boolean, in.kind == VALUE_BOOL)
T(true, in.kind == VALUE_BOOL && in.b)
T(false, in.kind == VALUE_BOOL && !in.b)
T(integer, in.kind == VALUE_INT)
T(float, in.kind == VALUE_FLOAT)
T(number, in.kind == VALUE_INT || in.kind == VALUE_FLOAT || in.kind == VALUE_BOOL)
T(string, value_is_text(in))
T(mapping, in.kind == VALUE_DICT)
T(sequence, in.kind == VALUE_LIST || in.kind == VALUE_DICT || value_is_text(in))
T(iterable, in.kind == VALUE_LIST || in.kind == VALUE_DICT || value_is_text(in) ||
                (in.kind == VALUE_OBJECT && in.object.class->next))
T(callable, in.kind == VALUE_OBJECT && in.object.class->call)
T(escaped, in.kind == VALUE_SAFE)
T(even, in.kind == VALUE_INT && in.i % 2 == 0)
T(odd, in.kind == VALUE_INT && in.i % 2 != 0)
T(divisibleby, in.kind == VALUE_INT && arg.kind == VALUE_INT && arg.i && in.i % arg.i == 0)
T(eq, value_equal(in, arg))
T(ne, !value_equal(in, arg))
T(lt, op_order(in, arg, &comparable) < 0)
T(le, op_order(in, arg, &comparable) <= 0)
T(gt, op_order(in, arg, &comparable) > 0)
T(ge, op_order(in, arg, &comparable) >= 0)
T(in, op_contains(ev, arg, in))
T(sameas, in.kind == arg.kind && value_equal(in, arg))
T(lower, value_is_text(in) &&
             str_eq(filter_by_method(ev, in, "lower", &(struct value_args){0}, &arg) == STATUS_OK ? arg.s : in.s, in.s))
T(upper, value_is_text(in) &&
             str_eq(filter_by_method(ev, in, "upper", &(struct value_args){0}, &arg) == STATUS_OK ? arg.s : in.s, in.s))

const struct named_test builtin_tests[] = {
    {"defined", t_defined},
    {"undefined", t_undefined},
    {"none", t_none},
    {"boolean", t_boolean},
    {"true", t_true},
    {"false", t_false},
    {"integer", t_integer},
    {"float", t_float},
    {"number", t_number},
    {"string", t_string},
    {"mapping", t_mapping},
    {"sequence", t_sequence},
    {"iterable", t_iterable},
    {"callable", t_callable},
    {"escaped", t_escaped},
    {"even", t_even},
    {"odd", t_odd},
    {"divisibleby", t_divisibleby},
    {"eq", t_eq},
    {"equalto", t_eq},
    {"==", t_eq},
    {"ne", t_ne},
    {"lt", t_lt},
    {"lessthan", t_lt},
    {"le", t_le},
    {"gt", t_gt},
    {"greaterthan", t_gt},
    {"ge", t_ge},
    {"in", t_in},
    {"sameas", t_sameas},
    {"lower", t_lower},
    {"upper", t_upper},
};
const size_t builtin_test_count = ARRAY_LEN(builtin_tests);
