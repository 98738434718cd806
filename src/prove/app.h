/* SPDX-License-Identifier: Apache-2.0 */
/* app: the strict backend: it answers each id with the id's bytes, checks every byte of uploads, echoes WebSocket
 * messages, and writes into the ledger what it executed. The essay is in app.c. */
#ifndef VITRINE_PROVE_APP_H
#define VITRINE_PROVE_APP_H

#include "net/listener.h"

struct app;

struct app_config {
    struct loop *loop;
    struct listener *listener; /* taken, also when app_new fails */
    str ledger;                /* file; empty: memory */
    uint32_t delay_ms;         /* before each answer */
    uint32_t idle_ms;          /* a connection without a request is closed after this; 0 = never */
    void (*stopped)(void *arg);
    void *arg;
};
/* Starts accepting. Returns OK, IO, NOT_FOUND, FORBIDDEN. */
enum status app_new(const struct app_config *config, struct app **ret, struct err *err) MUST_USE;
/* No more connections; idle ones are closed, the others after their answer; WebSockets are closed with a frame. What is
 * left after grace_ms is cut. Then stopped(arg), once. */
void app_stop(struct app *app, uint32_t grace_ms);
void app_free(struct app *app); /* only when stopped. NULL is fine */

#endif
