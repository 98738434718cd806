/* SPDX-License-Identifier: Apache-2.0 */
/* What html_clean lets through, and Markdown that comes from outside. */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/markdown.h"
#include "test.h"

static const char *clean(const char *html, const struct html_extra *extra)
{
    static char text[8192];
    struct buf b;
    buf_init(&b, sizeof text - 1);
    html_clean(&b, str_of(html), extra);
    memcpy(text, b.n ? b.p : "", b.n);
    text[b.n] = 0;
    buf_release(&b);
    return text;
}

TEST(html_clean_cases)
{
    static const char *const cases[][2] = {
        {"plain & <b>bold</b>", "plain &amp; <b>bold</b>"},
        {"&amp; &eacute; &#x1f600; &nothing", "&amp; &eacute; &#x1f600; &amp;nothing"},
        {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"<B onclick=alert(1) class=x>x</B>", "<b>x</b>"},
        {"<a href=\"javascript:alert(1)\">x</a>", "<a rel=\"nofollow\">x</a>"},
        {"<a href=\"&#106;avascript&colon;alert(1)\">x</a>", "<a rel=\"nofollow\">x</a>"},
        {"<a href=\"java\tscript:alert(1)\">x</a>", "<a rel=\"nofollow\">x</a>"},
        {"<a href=\"java&Tab;script:alert(1)\">x</a>", "<a rel=\"nofollow\">x</a>"},
        {"<a href=' javascript:x'>x</a>", "<a rel=\"nofollow\">x</a>"},
        {"<a href=\"data:text/html,x\">x</a>", "<a rel=\"nofollow\">x</a>"},
        {"<a href=\"/a?b=1&amp;c=2\" title='\"'>x</a>",
         "<a href=\"/a?b=1&amp;c=2\" title=\"&#34;\" rel=\"nofollow\">x</a>"},
        {"<a href=\"HTTPS://x/\">x", "<a href=\"HTTPS://x/\" rel=\"nofollow\">x</a>"},
        {"<img src=x onerror=alert(1)>", "<img src=\"x\" loading=\"lazy\">"},
        {"<img src=\"x\" src=\"javascript:y\">", "<img src=\"x\" loading=\"lazy\">"},
        {"<b><i>x</b>y</i>", "<b><i>x</i></b>y"},
        {"</td></table>x", "x"},
        {"</div>", "&lt;/div&gt;"},
        {"<b", "&lt;b"},
        {"<b x=\"<b>", "&lt;b x=&#34;<b></b>"},
        {"a < b > c", "a &lt; b &gt; c"},
        {"a<!-- <script> -->b<!-- c", "ab&lt;!-- c"},
        {"<style>p{}</style><svg/onload=x>", "&lt;style&gt;p{}&lt;/style&gt;&lt;svg/onload=x&gt;"},
        {"<br/><hr />", "<br><hr>"},
        {"<code class=\"language-c\">x</code><code class=\"hd\">y</code>",
         "<code class=\"language-c\">x</code><code>y</code>"},
        {"<div style=\"position:fixed\">x</div>", "&lt;div style=&#34;position:fixed&#34;&gt;x&lt;/div&gt;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(str_of(clean(cases[i][0], NULL)), cases[i][1]);
}

TEST(html_clean_extra)
{
    const str tags[] = {STR("div"), STR("script"), STR("col")};
    const str attrs[] = {STR("div"), STR("class"), STR("div"), STR("onclick"), STR("div"), STR("style")};
    struct html_extra extra = {tags, 3, attrs, 3};
    CHECK_STR(str_of(clean("<div class=a onclick=b style=c><col>x<script>", &extra)),
              "<div class=\"a\"><col>x&lt;script&gt;</div>");
    CHECK(!html_tag_harmless(STR("iframe")) && !html_tag_harmless(STR("form")) && html_tag_harmless(STR("div")));
    CHECK(!html_attr_harmless(STR("style")) && !html_attr_harmless(STR("onload")) &&
          !html_attr_harmless(STR("srcdoc")));
}

TEST(html_clean_depth)
{
    size_t depth = LIMIT_HTML_DEPTH + 1;
    struct buf in, out;
    buf_init(&in, 100000);
    buf_init(&out, 100000);
    for (size_t i = 0; i < depth; i++)
        buf_puts(&in, STR("<b>"));
    html_clean(&out, buf_str(&in), NULL);
    CHECK(str_find(buf_str(&out), STR("<b>&lt;b&gt;</b>")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("</b></b>")) != STR_NPOS);
    buf_release(&in);
    buf_release(&out);
}

TEST(markdown_cases)
{
    static const struct {
        const char *text, *html;
        unsigned flags;
    } cases[] = {
        {"# Hi\n\n* one\n* [two](https://x.org)\n",
         "<h1>Hi</h1>\n<ul>\n<li>one</li>\n<li><a href=\"https://x.org\" rel=\"nofollow\">two</a></li>\n</ul>\n", 0},
        {"| a | b |\n|---|--:|\n| 1 | 2 |\n",
         "<table>\n<thead>\n<tr>\n<th>a</th>\n<th "
         "align=\"right\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td "
         "align=\"right\">2</td>\n</tr>\n</tbody>\n</table>\n",
         0},
        {"[x](javascript:alert(1))", "<p><a rel=\"nofollow\">x</a></p>\n", 0},
        {"see https://x.org/a", "<p>see <a href=\"https://x.org/a\" rel=\"nofollow\">https://x.org/a</a></p>\n", 0},
        {"a\nb", "<p>a<br>\nb</p>\n", MARKDOWN_LINE_BREAKS},
        {"~~a~~ <iframe src=x>", "<p><del>a</del> &lt;iframe src=&#34;x&#34;&gt;</p>\n", 0},
    };
    struct buf b;
    buf_init(&b, 100000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        markdown_html(&b, str_of(cases[i].text), NULL, cases[i].flags);
        if (i == ARRAY_LEN(cases) - 1)
            CHECK(str_find(buf_str(&b), STR("<iframe")) == STR_NPOS && str_starts(buf_str(&b), STR("<p><del>a</del>")));
        else
            CHECK_STR(buf_str(&b), cases[i].html);
    }
    CHECK_INT(markdown_extension(STR("nl2br")), MARKDOWN_LINE_BREAKS);
    CHECK_INT(markdown_extension(STR("markdown.extensions.footnotes")), MARKDOWN_FOOTNOTES);
    CHECK_INT(markdown_extension(STR("tables")), 0);
    buf_release(&b);
}

TEST(markdown_limit)
{
    char *text = malloc(LIMIT_MARKDOWN + 1);
    struct buf b;
    buf_init(&b, 1000000);
    memset(text, '*', LIMIT_MARKDOWN + 1);
    text[0] = '<';
    markdown_html(&b, str_make(text, LIMIT_MARKDOWN + 1), NULL, 0);
    CHECK(str_starts(buf_str(&b), STR("<pre>&lt;**")));
    free(text);
    buf_release(&b);
}
