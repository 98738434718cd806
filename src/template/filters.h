/* SPDX-License-Identifier: Apache-2.0 */
/* filters: the built-in filters, each by its name in templates. Private to this folder. */
#ifndef VITRINE_TEMPLATE_FILTERS_H
#define VITRINE_TEMPLATE_FILTERS_H

#include "template/run.h"

#define F(name)                                                                                                        \
    enum status filter_##name(struct eval *ev, struct value in, const struct value_args *args, struct value *ret)
#define UNUSED (void)ev, (void)in, (void)args

template_filter_fn filter_abs, filter_attr, filter_batch, filter_capitalize, filter_center, filter_default,
    filter_dictsort, filter_escape, filter_filesizeformat, filter_first, filter_float, filter_forceescape,
    filter_format, filter_groupby, filter_indent, filter_int, filter_items, filter_join, filter_last, filter_length,
    filter_list, filter_lower, filter_map, filter_max, filter_min, filter_reject, filter_rejectattr, filter_replace,
    filter_reverse, filter_round, filter_safe, filter_select, filter_selectattr, filter_sort, filter_string, filter_sum,
    filter_title, filter_tojson, filter_trim, filter_truncate, filter_unique, filter_upper, filter_urlencode,
    filter_wordcount, filter_xmlattr;
/* filters_more.c */
template_filter_fn filter_urlize, filter_wordwrap, filter_pprint, filter_random, filter_slice, filter_striptags;

/* A method of Python's str as a filter. */
enum status filter_by_method(struct eval *ev, struct value in, const char *name, const struct value_args *args,
                             struct value *ret);
/* What attribute= of map, sort and their like names: "a.b.0" of v; "a,b.c" a list of several. */
struct value filter_path(struct eval *ev, struct value v, struct value path);

#endif
