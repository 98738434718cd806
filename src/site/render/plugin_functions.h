/* SPDX-License-Identifier: Apache-2.0 */
/* plugin_functions: functions that template sites bring along as plugins again and again, built in under their usual
 * names: json.loads() and dumps(), pluralize(), nicer_date(), prettydate(), intcomma(), first_paragraph(). A variable
 * of the page or of the template goes before them. */
#ifndef VITRINE_SITE_RENDER_PLUGIN_FUNCTIONS_H
#define VITRINE_SITE_RENDER_PLUGIN_FUNCTIONS_H

struct template_env;

void plugin_functions_add(struct template_env *env);

#endif
