/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/xml_part.h"

#include <expat.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

#define PIECE_BYTES 16384

struct xml_part {
    const struct xml_calls *calls;
    void *arg;
    str file, name;       /* for messages */
    struct source source; /* the zip, with this entry chosen */
    struct unpack *unpack;
    XML_Parser parser;
    uint64_t begin, unpacked; /* where in the zip it begins; bytes so far */
    size_t quiet;             /* bytes since the last tag or text */
    unsigned depth;
    struct err fault; /* of a call */
};

static str local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return str_of(colon ? colon + 1 : name);
}

str xml_attribute(const char *const *attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (str_is(local_name(attributes[0]), name))
            return str_of(attributes[1]);
    return str_make("", 0);
}

static void stop(struct xml_part *x)
{
    XML_StopParser(x->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct xml_part *x = arg;
    x->quiet = 0;
    if (x->fault.status != STATUS_OK)
        return;
    if (++x->depth > LIMIT_INGEST_XML_DEPTH)
        err_set(&x->fault, STATUS_INVALID, "tags are nested more than %d deep", LIMIT_INGEST_XML_DEPTH);
    else
        (void)!x->calls->start(x->arg, local_name(name), (const char *const *)attributes, &x->fault);
    if (x->fault.status != STATUS_OK)
        stop(x);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct xml_part *x = arg;
    x->quiet = 0;
    x->depth--;
    if (x->fault.status == STATUS_OK && x->calls->end(x->arg, local_name(name), &x->fault) != STATUS_OK)
        stop(x);
}

static void XMLCALL on_text(void *arg, const XML_Char *p, int n)
{
    struct xml_part *x = arg;
    x->quiet = 0;
    if (x->fault.status == STATUS_OK && x->calls->text(x->arg, str_make(p, (size_t)n), &x->fault) != STATUS_OK)
        stop(x);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
                               int internal)
{
    struct xml_part *x = arg;
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)internal;
    err_set(&x->fault, STATUS_INVALID, "it has a document type, which no workbook has");
    stop(x);
}

enum status xml_part_new(const struct source *zip, uint64_t index, str name, const struct xml_calls *calls, void *arg,
                         struct xml_part **ret, struct err *err)
{
    struct xml_part *x = MEM_NEW(struct xml_part);
    x->calls = calls;
    x->arg = arg;
    x->file = zip->name;
    x->name = name;
    x->source = *zip;
    x->source.entry_index = index;
    enum status st = unpack_new(&x->source, &x->unpack, err);
    if (st != STATUS_OK) {
        free(x);
        return st;
    }
    x->begin = unpack_position(x->unpack);
    x->parser = XML_ParserCreate(NULL);
    ASSERT(x->parser);
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_start, on_end);
    if (calls->text)
        XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    *ret = x;
    return STATUS_OK;
}

void xml_part_free(struct xml_part *x)
{
    if (!x)
        return;
    XML_ParserFree(x->parser);
    unpack_free(x->unpack);
    free(x);
}

uint64_t xml_part_position(const struct xml_part *x)
{
    return unpack_position(x->unpack);
}

static enum status check_size(const struct xml_part *x, struct err *err)
{
    uint64_t packed = MAX(unpack_position(x->unpack) - x->begin, 1);
    if (x->unpacked < (size_t)LIMIT_INGEST_UNPACK_FREE || x->unpacked / packed <= LIMIT_INGEST_XML_RATIO)
        return STATUS_OK;
    err_set(err, STATUS_TOO_LARGE, "%.*s: %.*s unpacks to more than %d times its size: it looks like a bomb",
            STR_ARG(x->file), STR_ARG(x->name), LIMIT_INGEST_XML_RATIO);
    return err_hint(err, "If it is what you want, save it as CSV and import that.");
}

static enum status failed(const struct xml_part *x, struct err *err)
{
    if (x->fault.status != STATUS_OK) {
        *err = x->fault;
        return err_prefix(err, "%.*s (%.*s)", STR_ARG(x->file), STR_ARG(x->name));
    }
    err_set(err, STATUS_INVALID, "%.*s is damaged: %.*s line %lu: %s", STR_ARG(x->file), STR_ARG(x->name),
            (unsigned long)XML_GetCurrentLineNumber(x->parser), XML_ErrorString(XML_GetErrorCode(x->parser)));
    return err_hint(err, "Open it in a spreadsheet program and save it again, or save it as CSV.");
}

enum status xml_part_step(struct xml_part *x, bool *ret_ended, struct err *err)
{
    size_t n = 0;
    void *piece = XML_GetBuffer(x->parser, PIECE_BYTES);
    struct err local = ERR_INIT;
    err = err ? err : &local;
    if (!piece)
        return err_set(err, STATUS_NO_MEMORY, "%.*s: no memory to read it", STR_ARG(x->file));
    enum status st = unpack_read(x->unpack, piece, PIECE_BYTES, &n, err);
    x->unpacked += n;
    x->quiet += n;
    if (st == STATUS_OK)
        st = check_size(x, err);
    if (st == STATUS_OK && x->quiet > LIMIT_INGEST_XML_TAG)
        st = err_set(err, STATUS_INVALID, "%.*s: %.*s has a tag of more than %d bytes", STR_ARG(x->file),
                     STR_ARG(x->name), LIMIT_INGEST_XML_TAG);
    if (st != STATUS_OK)
        return st;
    if (XML_ParseBuffer(x->parser, (int)n, n < PIECE_BYTES) != XML_STATUS_OK)
        return failed(x, err);
    *ret_ended = n < PIECE_BYTES;
    return STATUS_OK;
}

enum status xml_part_read(const struct source *zip, uint64_t index, str name, const struct xml_calls *calls, void *arg,
                          struct err *err)
{
    struct xml_part *x;
    bool ended = false;
    enum status st = xml_part_new(zip, index, name, calls, arg, &x, err);
    if (st != STATUS_OK)
        return st;
    while (st == STATUS_OK && !ended)
        st = xml_part_step(x, &ended, err);
    xml_part_free(x);
    return st;
}
