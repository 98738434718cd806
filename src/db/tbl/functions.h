/* SPDX-License-Identifier: Apache-2.0 */
/* One row an SQL function and number of arguments, in the order of docs/sql-functions.md:
 * X(name, arguments (-1 = any number), implementation, PURE or VARIES, data, signature, help, example, its answer).
 * A NULL argument gives NULL unless the help says otherwise. Examples that have an answer are run by the tests. */
/* clang-format off */
X("escape_fts", 1, fn_escape_fts, PURE, NULL, "escape_fts(text)",
  "Turns words a person typed into an FTS query: each word quoted, \"quoted parts\" kept",
  "escape_fts('dog cat')", "\"dog\" \"cat\"")
X("escape_fts_query", 1, fn_escape_fts, PURE, NULL, "escape_fts_query(text)",
  "Another name of escape_fts(), which template sites use", "escape_fts_query('dog cat')", "\"dog\" \"cat\"")
X("regexp", 2, fn_regexp, PURE, NULL, "regexp(pattern, text)",
  "1 when the pattern is found in the text, else 0; also written text REGEXP pattern", "'hello' REGEXP 'l+'", "1")
X("regexp_match", 2, fn_regexp_match, PURE, NULL, "regexp_match(pattern, text)",
  "The first part of the text that fits the pattern; NULL when none does", "regexp_match('[0-9]+', 'Room 204b')", "204")
X("regexp_replace", 3, fn_regexp_replace, PURE, NULL, "regexp_replace(pattern, text, replacement)",
  "The text with every part that fits replaced; the replacement is taken as it is",
  "regexp_replace('[aeiou]', 'banana', '_')", "b_n_n_")
X("regexp_count", 2, fn_regexp_count, PURE, NULL, "regexp_count(pattern, text)",
  "How many parts of the text fit, none inside another", "regexp_count('an', 'banana')", "2")
X("uuid", 0, fn_uuid, VARIES, NULL, "uuid()", "A random UUID (version 4)", "uuid()", NULL)
X("uuid7", 0, fn_uuid7, VARIES, NULL, "uuid7()", "A UUID that begins with the time (version 7): later ones sort behind",
  "uuid7()", NULL)
X("haversine", 4, fn_haversine, PURE, NULL, "haversine(lat1, lng1, lat2, lng2)", "Kilometres between two points",
  "round(haversine(45.7597, 4.8422, 48.8567, 2.3508), 1)", "392.2")
X("haversine", 5, fn_haversine, PURE, NULL, "haversine(lat1, lng1, lat2, lng2, unit)",
  "The same in km, m, mi, nmi, ft or in", "round(haversine(45.7597, 4.8422, 48.8567, 2.3508, 'mi'), 1)", "243.7")
X("haversine_m", 4, fn_haversine_unit, PURE, &units[1].per_km, "haversine_m(lat1, lng1, lat2, lng2)",
  "Metres between two points", "haversine_m(1, 2, 1, 2)", "0.0")
X("haversine_mi", 4, fn_haversine_unit, PURE, &units[2].per_km, "haversine_mi(lat1, lng1, lat2, lng2)",
  "Miles between two points", "haversine_mi(1, 2, 1, 2)", "0.0")
X("haversine_nmi", 4, fn_haversine_unit, PURE, &units[3].per_km, "haversine_nmi(lat1, lng1, lat2, lng2)",
  "Nautical miles between two points", "haversine_nmi(1, 2, 1, 2)", "0.0")
X("haversine_ft", 4, fn_haversine_unit, PURE, &units[4].per_km, "haversine_ft(lat1, lng1, lat2, lng2)",
  "Feet between two points", "haversine_ft(1, 2, 1, 2)", "0.0")
X("url_scheme", 1, fn_url_part, PURE, &url_parts[URL_SCHEME], "url_scheme(url)", "https, http ... in lower case",
  "url_scheme('https://example.com/a')", "https")
X("url_host", 1, fn_url_part, PURE, &url_parts[URL_HOST], "url_host(url)",
  "The host in lower case, without user and port", "url_host('https://me@Example.com:8001/a')", "example.com")
X("url_port", 1, fn_url_part, PURE, &url_parts[URL_PORT], "url_port(url)",
  "The port as a number; NULL when none is given",
  "url_port('http://localhost:8001/')", "8001")
X("url_path", 1, fn_url_part, PURE, &url_parts[URL_PATH], "url_path(url)", "The path, still percent-encoded",
  "url_path('https://example.com/a/b%20c?q=1')", "/a/b%20c")
X("url_query", 1, fn_url_part, PURE, &url_parts[URL_QUERY], "url_query(url)",
  "What stands behind the ?, without it; NULL when there is none",
  "url_query('https://example.com/?q=1&r=2#x')", "q=1&r=2")
X("url_fragment", 1, fn_url_part, PURE, &url_parts[URL_FRAGMENT], "url_fragment(url)",
  "What stands behind the #; NULL when there is none", "url_fragment('https://example.com/#top')", "top")
X("url_query_value", 2, fn_url_query_value, PURE, NULL, "url_query_value(url, name)",
  "The first value of one argument of the query, decoded; NULL when it is not there",
  "url_query_value('https://example.com/?q=a+b%21', 'q')", "a b!")
X("url_escape", 1, fn_url_escape, PURE, NULL, "url_escape(text)", "Percent-encodes everything but A-Z a-z 0-9 - . _ ~",
  "url_escape('a b/c')", "a%20b%2Fc")
X("url_unescape", 1, fn_url_unescape, PURE, NULL, "url_unescape(text)", "Takes percent-encoding off",
  "url_unescape('a%20b%2Fc')", "a b/c")
X("urllib_quote_plus", 1, fn_urllib_quote_plus, PURE, NULL, "urllib_quote_plus(text)",
  "As url_escape, with a space as +: for query strings", "urllib_quote_plus('a b&c')", "a+b%26c")
X("md5", 1, fn_hash, PURE, &hashes[0], "md5(value)", "MD5 of the bytes of a text or BLOB, in hex; not for secrets",
  "md5('abc')", "900150983cd24fb0d6963f7d28e17f72")
X("sha1", 1, fn_hash, PURE, &hashes[1], "sha1(value)", "SHA-1 in hex; not for secrets", "sha1('abc')",
  "a9993e364706816aba3e25717850c26c9cd0d89d")
X("sha256", 1, fn_hash, PURE, &hashes[2], "sha256(value)", "SHA-256 in hex", "sha256('abc')",
  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
X("levenshtein", 2, fn_levenshtein, PURE, NULL, "levenshtein(a, b)",
  "How many characters must be changed, added or taken out to make b of a; at most 1,024 characters each",
  "levenshtein('kitten', 'sitting')", "3")
X("render_markdown", 1, fn_render_markdown, PURE, NULL, "render_markdown(text)",
  "HTML of a Markdown text with tables and strikethrough, made safe: no scripts, styles or forms",
  "render_markdown('**Hi** <script>')", "<p><strong>Hi</strong> &lt;script&gt;</p>\n")
