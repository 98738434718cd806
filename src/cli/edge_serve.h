/* SPDX-License-Identifier: Apache-2.0 */
/* edge_serve: this process as what it is to be of an edge: the supervisor in front, or the edge itself. */
#ifndef VITRINE_CLI_EDGE_SERVE_H
#define VITRINE_CLI_EDGE_SERVE_H

#include "edge/edge.h"

/* Fills in channel, successor and app_files, makes the state folder, and runs until the end. The supervisor starts the
 * same command line again. *ret_exit: the exit code after OK. Blocks. */
enum status edge_serve(struct edge_config *c, int *ret_exit, struct err *err) MUST_USE;
/* Times and bounds of an edge that nobody said anything about. */
void edge_config_default(struct edge_config *ret);

#endif
