/* SPDX-License-Identifier: Apache-2.0 */
/* logo — the picture of a space: sent, taken away, given out. */
#include "hub/logo.h"

#include "hub/space.h"
#include "hub/view/view.h"

enum status hub_view_logo(struct hub_request *rq, struct err *err)
{
    struct value space;
    str bytes = {0};
    enum status st = space_find_for(rq, rq->params[0], ROLE_OWNER, &space, err);
    bool remove = hub_field(rq, "remove").n > 0;
    if (st == STATUS_OK && !remove)
        st = logo_read_form(rq, &bytes, err);
    if (st == STATUS_OK)
        st = logo_set(rq, VALUE_GET(space, "id").s, bytes, err);
    return st == STATUS_OK ? hub_go(rq, ARENA_CAT(rq->a, STR("/spaces/"), rq->params[0]), "saved") : st;
}

/* Whoever knows the address may see it: it is made of the bytes, and told to those who see the space. Nothing in the
 * file can run, whatever a browser takes it for. */
enum status hub_view_logo_file(struct hub_request *rq, struct err *err)
{
    struct value row;
    struct conn *c;
    static const char *const types[][2] = {{".png", "image/png"}, {".jpg", "image/jpeg"}, {".webp", "image/webp"}};
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err,
                     "select l.bytes from logos l join spaces s on s.id = l.space_id where l.name = ?1 and s.state <>"
                     " 'deleted'",
                     SQL_T(rq->params[0]));
    if (st == STATUS_OK && row.kind != VALUE_DICT)
        st = err_set(err, STATUS_NOT_FOUND, "There is no such picture.");
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_ends(rq->params[0], str_of(types[i][0])))
            response_header_set(&rq->response, STR("content-type"), str_of(types[i][1]));
    response_header_set(&rq->response, STR("x-content-type-options"), STR("nosniff"));
    response_header_set(&rq->response, STR("content-security-policy"), STR("default-src 'none'; sandbox"));
    response_header_set(&rq->response, STR("cross-origin-resource-policy"), STR("cross-origin"));
    response_header_set(&rq->response, STR("cache-control"), STR("max-age=31536000, immutable, public"));
    response_body_text(&rq->response, VALUE_GET(row, "bytes").s);
    return STATUS_OK;
}
