/* SPDX-License-Identifier: Apache-2.0 */
/* version: which build this is. Static texts. */
#ifndef VITRINE_BASE_VERSION_H
#define VITRINE_BASE_VERSION_H

const char *version_text(void);   /* "0.1.0", the version of the project */
const char *version_commit(void); /* "665c712d9a1b", with "-dirty" for a changed tree; "unknown" without git */

#endif
