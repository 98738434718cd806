/* SPDX-License-Identifier: Apache-2.0 */
/* version: the release of Datasette whose behaviour clients may count on. */
#ifndef VITRINE_SITE_VERSION_H
#define VITRINE_SITE_VERSION_H

#define VERSION_DATASETTE "1.0a37"

#endif
