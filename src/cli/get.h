/* SPDX-License-Identifier: Apache-2.0 */
/* get: `serve --get PATH`: the site is started on a Unix socket that nobody else sees, asked once, and stopped. The
 * asking runs on a thread of its own, so that the answer takes the very way of every other answer. */
#ifndef VITRINE_CLI_GET_H
#define VITRINE_CLI_GET_H

#include <pthread.h>

#include "base/arena.h"
#include "base/err.h"
#include "rt/loop.h"

struct get {
    str path, token, actor; /* as typed; path empty = not asked for */
    bool headers;           /* print them too */

    struct loop *loop; /* below: ours */
    pthread_t thread;
    bool running;
    char *folder, *socket;
    str request;
    int status; /* of the answer; 0 = none came */
};

/* USAGE: an option that needs --get, a path without "/", an actor that is no JSON object. */
enum status get_check(const struct get *g, struct err *err) MUST_USE;
/* Makes a folder that only this user enters; *ret_socket is where the server must listen. */
enum status get_prepare(struct get *g, struct arena *a, str *ret_socket, struct err *err) MUST_USE;
/* Asks; stops the loop when the answer was printed on stdout. */
enum status get_start(struct get *g, struct arena *a, str secret, struct loop *loop, struct err *err) MUST_USE;
/* After the loop: waits for the thread, removes the folder. The exit code: 0 for a 200, else 1. */
int get_finish(struct get *g);

#endif
