/* SPDX-License-Identifier: Apache-2.0 */
/* trace_context: what other programs call this request: W3C Trace Context level 1 and X-Request-ID. Pure; any thread.
 */
#ifndef VITRINE_HTTP_TRACE_CONTEXT_H
#define VITRINE_HTTP_TRACE_CONTEXT_H

#include "http/headers.h"

#define TRACE_SPAN_HEX 16

struct trace_context {
    str trace_id;  /* 32 hex digits, of the field */
    str parent_id; /* 16 hex digits, of the field */
    bool sampled;
};

/* Reads a traceparent field (section 3.2). Strict: lower case, no white space, neither id all zeros, version not ff;
 * version 00 has nothing more; of a later version what stands behind is ignored. False: there is no context. */
bool trace_context_parse(str field, struct trace_context *ret) MUST_USE;
/* From the fields of a request: one traceparent, no more. */
bool trace_context_find(const struct http_headers *headers, struct trace_context *ret) MUST_USE;
/* 16 lower-case hex digits of `id`; 0 becomes 1, as an id may not be all zeros. */
void trace_span_format(uint64_t id, char out[TRACE_SPAN_HEX + 1]);
/* May this stand in logs, headers and pages? 1 to LIMIT_REQUEST_ID letters, digits, and - _ . : / + = @ ~ */
bool request_id_ok(str id);

#endif
