/* SPDX-License-Identifier: Apache-2.0 */
/* messages — a form that sets flash messages, to try how a site's templates show them. */
#include "site/render/messages.h"

#include "site/links.h"
#include "site/render/page.h"
#include "site/view/resources.h"
#include "site/view/view.h"

static const struct {
    const char *name;
    enum message_type type;
} types[] = {{"INFO", MESSAGE_INFO}, {"WARNING", MESSAGE_WARNING}, {"ERROR", MESSAGE_ERROR}};

static enum status add_from_form(struct request *rq, struct err *err)
{
    struct args form;
    enum status st = form_parse(rq, &form, err);
    if (st != STATUS_OK)
        return st;
    str text = ARGS_GET(&form, "message"), type = ARGS_GET(&form, "message_type");
    bool known = false;
    if (!text.p)
        return err_set(err, STATUS_INVALID, "The form has no message");
    if (!type.n)
        type = STR("INFO");
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_is(type, types[i].name) || str_is(type, "all")) {
            messages_add(rq, text, types[i].type);
            known = true;
        }
    }
    if (!known)
        return err_set(err, STATUS_INVALID, "message_type must be INFO, WARNING, ERROR or all");
    respond_redirect(rq, 302, link_path(rq, STR("")));
    return STATUS_OK;
}

enum status view_messages(struct request *rq, struct err *err)
{
    enum status st = request_require(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    if (rq->http->method == HTTP_POST)
        return add_from_form(rq, err);
    const str names[] = {STR("messages_debug.html")};
    return page_respond(rq, 200, names, 1, value_dict(rq->arena), false, err);
}
