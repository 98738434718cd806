/* SPDX-License-Identifier: Apache-2.0 */
/* value: a document tree (JSON, YAML, template variables) in an arena.
 *
 * Copying a struct value copies the handle; lists and dicts are shared. Dicts keep insertion order and have unique
 * string keys. Nothing is freed one by one: the arena owns all. OBJECT is how the host lends lazy things (requests,
 * rows, functions) to templates: a class with functions, and a self pointer. Not thread-safe while being built; any
 * number of threads may read a finished tree. */
#ifndef VITRINE_CODEC_VALUE_H
#define VITRINE_CODEC_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum value_kind {
    VALUE_UNDEFINED = 0,
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_STR,
    VALUE_SAFE,  /* text that is already HTML: autoescape leaves it alone; JSON writes it as a string */
    VALUE_BYTES, /* JSON writes {"$base64": true, "encoded": "..."} */
    VALUE_LIST,
    VALUE_DICT,
    VALUE_OBJECT,
};

struct value_list;
struct value_dict;
struct value_class;

struct value {
    enum value_kind kind;
    bool tuple; /* LIST only: prints as a Python tuple */
    union {
        bool b;
        int64_t i;
        double f;
        str s; /* STR, SAFE, BYTES; borrowed from the arena or a literal */
        struct value_list *list;
        struct value_dict *dict;
        struct {
            const struct value_class *class;
            void *self;
        } object;
    };
};

struct value_list {
    struct value *items;
    size_t count, cap;
    struct arena *arena;
};

struct value_entry {
    str key;
    struct value value;
    uint32_t hash;
};

struct value_dict {
    struct value_entry *entries; /* insertion order */
    size_t count, cap;
    uint32_t *index; /* open addressing over entries + 1; NULL while small */
    size_t index_cap;
    struct arena *arena;
};

/* What a call or a lazy attribute may use. Defined by the template engine's evaluator; opaque here. */
struct eval;

struct value_args {
    const struct value *positional;
    size_t count;
    const struct value_entry *keywords;
    size_t keyword_count;
};

/* A host type. Every function may be NULL (then the operation is undefined/absent for that type). */
struct value_class {
    const char *name;
    /* a.name : set *ret and return true when there is such an attribute */
    bool (*attr)(void *self, struct eval *ev, str name, struct value *ret);
    /* {{ a.name }} where it is printed into HTML: writes what printing attr's value would, without making the value.
     * False = the attribute is printed as attr has it; NULL = so are all. */
    bool (*print)(void *self, struct eval *ev, str name, struct buf *out);
    /* a[key] : as attr */
    bool (*item)(void *self, struct eval *ev, struct value key, struct value *ret);
    /* a(args...) : status OK, or an error set with eval_fail() */
    enum status (*call)(void *self, struct eval *ev, const struct value_args *args, struct value *ret);
    /* i-th element when iterated; false = end */
    bool (*next)(void *self, struct eval *ev, size_t i, struct value *ret);
    int64_t (*length)(void *self, struct eval *ev); /* -1 = has none */
    bool (*truth)(void *self);
    /* text when printed; NULL prints as empty */
    struct value (*text)(void *self, struct eval *ev);
    /* the same made of DICT, LIST and scalars, for JSON; NULL = writes as null */
    struct value (*plain)(void *self, struct arena *a);
};

#define VALUE_UNDEF ((struct value){.kind = VALUE_UNDEFINED})
#define VALUE_NULL  ((struct value){.kind = VALUE_NONE})
static inline struct value value_bool(bool b)
{
    return (struct value){.kind = VALUE_BOOL, .b = b};
}
static inline struct value value_int(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .i = i};
}
static inline struct value value_float(double f)
{
    return (struct value){.kind = VALUE_FLOAT, .f = f};
}
static inline struct value value_str(str s)
{
    return (struct value){.kind = VALUE_STR, .s = s};
}
static inline struct value value_cstr(const char *s)
{
    return s ? value_str(str_of(s)) : VALUE_NULL;
}
static inline struct value value_str_if(bool there, str s)
{
    return there ? value_str(s) : VALUE_NULL;
}
static inline struct value value_safe(str s)
{
    return (struct value){.kind = VALUE_SAFE, .s = s};
}
static inline struct value value_bytes(str s)
{
    return (struct value){.kind = VALUE_BYTES, .s = s};
}
static inline struct value value_object(const struct value_class *class, void *self)
{
    return (struct value){.kind = VALUE_OBJECT, .object = {class, self}};
}
struct value value_list(struct arena *a); /* empty */
struct value value_dict(struct arena *a); /* empty */

void value_push(struct value list, struct value item);
/* Sets or replaces; key is borrowed (copy it first when it does not live as long as the arena). */
void value_set(struct value dict, str key, struct value item);
/* The dict under the key, put there empty where there is none. */
struct value value_dict_in(struct arena *a, struct value dict, str key);
#define VALUE_SET(dict, literal, item) value_set((dict), STR(literal), (item))
/* UNDEFINED when absent or when `dict` is no dict. */
struct value value_get(struct value dict, str key);
/* The same for a name whose hash is known, which holds for this process only. */
struct value value_get_hashed(struct value dict, str key, uint32_t hash);
uint32_t value_hash(str key);
str value_get_text(struct value dict, str key); /* empty (p NULL) when it is absent or no text */
#define VALUE_GET(dict, literal) value_get((dict), STR(literal))
bool value_has(struct value dict, str key);
bool value_same_keys(struct value a, struct value b); /* dicts of the same keys in the same order */
bool value_remove(struct value dict, str key);        /* keeps the order of the rest */
size_t value_count(struct value v);                   /* list or dict items; else 0 */
struct value value_at(struct value list, size_t i);

static inline bool value_is_null(struct value v)
{
    return v.kind == VALUE_NONE || v.kind == VALUE_UNDEFINED;
}
static inline bool value_is_text(struct value v)
{
    return v.kind == VALUE_STR || v.kind == VALUE_SAFE;
}
bool value_truth(struct value v);                 /* Python's rules */
bool value_equal(struct value a, struct value b); /* deep; 1 == 1.0 == True; exact past 2^53 too */
/* Text of a scalar as Python's str() gives it; "" for UNDEFINED; "None", "True". Lists and dicts as Python's repr, cut
 * at LIMIT_VALUE_TEXT. STR and SAFE come back as they are, without a copy. */
str value_to_str(struct arena *a, struct value v);
#define VALUE_FLOAT_MAX 32                                     /* bytes that value_write_float may write */
size_t value_write_float(char out[VALUE_FLOAT_MAX], double f); /* as value_to_str; how many bytes, no NUL */
struct value value_copy(struct arena *a, struct value v);      /* deep, strings too; OBJECT handles are kept */
/* v with every OBJECT in it as its class's plain() gives it (NONE without one); v itself when it holds none. */
struct value value_plain(struct arena *a, struct value v);

/* JSON in: RFC 8259 strict; integers that fit stay int64, others become doubles; of duplicate keys the last wins, at
 * the place of the first. The tree keeps nothing of `text`. Returns OK, INVALID ("line L column C: what") or TOO_LARGE
 * (the arena is past its maximum). */
enum status value_from_json(struct arena *a, str text, struct value *ret, struct err *err) MUST_USE;
enum value_json_flags {
    VALUE_JSON_COMPACT = 1,  /* "," and ":" ; default is Python's ", " and ": " */
    VALUE_JSON_UTF8 = 2,     /* non-ASCII as it is; default is \uXXXX */
    VALUE_JSON_SORTED = 4,   /* dict keys in byte order */
    VALUE_JSON_HTML = 8,     /* < > & ' as \u00XX */
    VALUE_JSON_INFINITY = 16 /* Infinity, -Infinity, NaN as such; default null */
};
/* JSON out. UNDEFINED, OBJECT and what is deeper than LIMIT_JSON_DEPTH are written as null. What does not fit sets
 * out->over. */
void value_to_json(struct buf *out, struct value v, unsigned flags);
void value_to_json_indent(struct buf *out, struct value v, unsigned flags, int indent); /* indent: spaces a level */

#endif
