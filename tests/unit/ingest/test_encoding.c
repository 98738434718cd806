/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/encoding.h"
#include "test.h"

static enum encoding decide(const char *bytes)
{
    struct encoding_evidence e = {0};
    encoding_feed(&e, str_of(bytes));
    return encoding_decide(&e);
}

TEST(encoding_of_8_bit_text)
{
    CHECK_INT(decide("plain"), ENCODING_UTF8);
    CHECK_INT(decide("na\xc3\xafve"), ENCODING_UTF8);
    CHECK_INT(decide("na\xefve caf\xe9 M\xe1laga"), ENCODING_WINDOWS_1252);
    CHECK_INT(decide("\x93quoted\x94 \x96 it\x92s"), ENCODING_WINDOWS_1252);
    CHECK_INT(decide("na\x95ve caf\x8e M\x87laga"), ENCODING_MAC_ROMAN);
    CHECK_INT(decide("they\xd5re \xd2quoted\xd3"), ENCODING_MAC_ROMAN);
}

TEST(encoding_mixed)
{
    struct encoding_evidence e = {0};
    for (int i = 0; i < 100; i++)
        encoding_feed(&e, STR("na\xc3\xafve "));
    encoding_feed(&e, STR("bad \xff byte"));
    CHECK_INT(encoding_decide(&e), ENCODING_UTF8_MIXED);
}

TEST(encoding_utf16_by_mark_or_zeros)
{
    CHECK_INT(encoding_utf16(str_make("\xff\xfe"
                                      "a\0",
                                      4)),
              ENCODING_UTF16LE);
    CHECK_INT(encoding_utf16(str_make("\xfe\xff\0a", 4)), ENCODING_UTF16BE);
    CHECK_INT(encoding_utf16(str_make("a\0,\0b\0\n\0", 8)), ENCODING_UTF16LE);
    CHECK_INT(encoding_utf16(str_make("\0a\0,\0b\0\n", 8)), ENCODING_UTF16BE);
    CHECK_INT(encoding_utf16(STR("a,b\n1,2\n")), ENCODING_UNKNOWN);
    CHECK_INT(encoding_utf16(str_make("\0\0\0\0\0\0\0\0", 8)), ENCODING_UNKNOWN);
    CHECK_INT(encoding_utf16(STR("")), ENCODING_UNKNOWN);
}

TEST(encoding_names)
{
    CHECK_INT(encoding_of_name(STR("UTF-8")), ENCODING_UTF8);
    CHECK_INT(encoding_of_name(STR("utf_16 LE")), ENCODING_UTF16LE);
    CHECK_INT(encoding_of_name(STR("cp1252")), ENCODING_WINDOWS_1252);
    CHECK_INT(encoding_of_name(STR("ISO-8859-1")), ENCODING_LATIN_1);
    CHECK_INT(encoding_of_name(STR("mac_roman")), ENCODING_MAC_ROMAN);
    CHECK_INT(encoding_of_name(STR("koi8-r")), ENCODING_ICONV);
    CHECK(encoding_table(ENCODING_WINDOWS_1252)[0] == 0x20AC && encoding_table(ENCODING_MAC_ROMAN)[0] == 0xC4);
}
