/* SPDX-License-Identifier: Apache-2.0 */
/* write/actions: the links of the action menus that lead to pages which write: LISTs of {href, label, description}.
 * Empty for who may do nothing, and for immutable databases. */
#ifndef VITRINE_SITE_WRITE_ACTIONS_H
#define VITRINE_SITE_WRITE_ACTIONS_H

#include "site/request.h"

struct value actions_of_home(struct request *rq);
struct value actions_of_database(struct request *rq);
struct value actions_of_table(struct request *rq); /* of params[1]; empty for views */
struct value actions_of_row(struct request *rq);   /* of params[1] and params[2] */
struct value actions_of_query(struct request *rq); /* of params[1]; empty for custom SQL */

/* Where files go that are dropped on this page, and cells that are pasted: the form of uploads, for the database and
 * table of the page when files may go there. p NULL = nowhere, or the page has the form itself. */
str upload_link_of_page(struct request *rq);

#endif
