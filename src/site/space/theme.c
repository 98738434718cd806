/* SPDX-License-Identifier: Apache-2.0 */
#include "site/space/theme.h"

#include <math.h>
#include <stdio.h>

#define STEPS 50

/* The background that is hardest to be read on, and the text on the accent: as in web/static/app.css. */
#define LIGHT_BACKGROUND "#f3f4f3"
#define LIGHT_TEXT       "#ffffff"
#define DARK_BACKGROUND  "#232c34"
#define DARK_TEXT        "#10202e"

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 0;
}

static void parts(str color, double out[3])
{
    for (size_t i = 0; i < 3; i++)
        out[i] = color.n == 7 ? digit(color.p[1 + 2 * i]) * 16 + digit(color.p[2 + 2 * i]) : 0;
}

/* WCAG 2.2, relative luminance of sRGB */
static double luminance(const double rgb[3])
{
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    for (size_t i = 0; i < 3; i++) {
        double c = rgb[i] / 255;
        sum += weights[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

double theme_contrast(str a, str b)
{
    double x[3], y[3];
    parts(a, x);
    parts(b, y);
    double p = luminance(x), q = luminance(y);
    return p > q ? (p + 0.05) / (q + 0.05) : (q + 0.05) / (p + 0.05);
}

/* Mixed with black, or with white, until it can be read; the hue stays. */
void theme_shade(str color, bool dark, char out[THEME_COLOR])
{
    double rgb[3], end = dark ? 255 : 0;
    str background = dark ? STR(DARK_BACKGROUND) : STR(LIGHT_BACKGROUND),
        text = dark ? STR(DARK_TEXT) : STR(LIGHT_TEXT);
    parts(color, rgb);
    for (int step = 0; step <= STEPS; step++) {
        int mixed[3];
        for (size_t i = 0; i < 3; i++)
            mixed[i] = (int)lround(rgb[i] + (end - rgb[i]) * step / STEPS);
        (void)snprintf(out, THEME_COLOR, "#%02x%02x%02x", mixed[0] & 255, mixed[1] & 255, mixed[2] & 255);
        if (theme_contrast(str_of(out), background) >= 4.5 && theme_contrast(str_of(out), text) >= 4.5)
            return;
    }
}

str theme_css(struct arena *a, str accent)
{
    char light[THEME_COLOR], dark[THEME_COLOR];
    if (!accent.n)
        return (str){0};
    theme_shade(accent, false, light);
    theme_shade(accent, true, dark);
    return arena_printf(
        a,
        ":root{--brand:%.*s;--accent:%s;--on-accent:" LIGHT_TEXT "}"
        "@media(prefers-color-scheme:dark){:root:not([data-theme=\"light\"]){--accent:%s;--on-accent:" DARK_TEXT
        "}}:root[data-theme=\"dark\"]{--accent:%s;--on-accent:" DARK_TEXT "}",
        STR_ARG(accent), light, dark, dark);
}
