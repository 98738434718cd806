/* SPDX-License-Identifier: Apache-2.0 */
/* tus: resumable uploads as tus-js-client, Uppy and others speak them (https://tus.io/protocols/resumable-upload). */
#ifndef VITRINE_SITE_UPLOAD_TUS_H
#define VITRINE_SITE_UPLOAD_TUS_H

#include "site/upload/sink.h"
#include "site/upload/store.h"

bool tus_is(const struct request *rq); /* it says so, or asks what is possible */
/* POST /-/upload of a tus client: its body (creation-with-upload) and its answer. */
enum status tus_create_begin(struct body_sink *s, struct err *err) MUST_USE;
enum status tus_write(struct body_sink *s, str bytes, struct err *err) MUST_USE;
void tus_close(struct body_sink *s);
enum status tus_create(struct request *rq, struct err *err) MUST_USE;

#endif
