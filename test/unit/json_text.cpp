// Which texts of the type json fit into jsonb. The answers are those of PostgreSQL's own conversion (sql/capture.sql
// asks the server for the same at the limits).
#include "pure/json_text.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace pgpubsub;

namespace {
bool fits(const std::string& text, bool utf8 = true) { return json_text_fits_jsonb(text, utf8, 1000000, 100); }
}  // namespace

TEST_CASE("ordinary JSON fits") {
    for (const char* text :
         {"null", "true", "0", "-1.5e-3", "\"\"", "{}", "[]", "{\"a\": [1, 2, {\"b\": \"c\"}]}", " 1 "})
        CHECK_MESSAGE(fits(text), text);
}

TEST_CASE("the escape of the zero character does not fit, an escaped backslash before u0000 does") {
    CHECK_FALSE(fits(R"("\u0000")"));
    CHECK_FALSE(fits(R"({"\u0000": 1})"));
    CHECK_FALSE(fits(R"("\\\u0000")"));
    CHECK(fits(R"("\\u0000")"));
    CHECK(fits(R"("\u0001")"));
    CHECK(fits(R"("u0000")"));
    CHECK(fits(R"("\"\u0041")"));
}

TEST_CASE("surrogates fit in pairs only") {
    CHECK(fits(R"("\ud83d\ude00")"));
    CHECK(fits(R"("\uD83D\uDE00x")"));
    CHECK_FALSE(fits(R"("\ud83d")"));
    CHECK_FALSE(fits(R"("\ud83dx")"));
    CHECK_FALSE(fits(R"("\ud83d\n")"));
    CHECK_FALSE(fits(R"("\ude00")"));
    CHECK_FALSE(fits(R"("\ud83d\u0041")"));
    CHECK_FALSE(fits(R"("\ud83d\ud83d\ude00")"));
}

TEST_CASE("an escape beyond ASCII fits where the database is UTF-8") {
    CHECK(fits(R"("\u00e9")", true));
    CHECK_FALSE(fits(R"("\u00e9")", false));
    CHECK(fits(R"("\u007f")", false));
}

TEST_CASE("numbers fit up to the limits of numeric") {
    CHECK(fits("1e131071"));
    CHECK_FALSE(fits("1e131072"));
    CHECK(fits("10e131070"));
    CHECK_FALSE(fits("10e131071"));
    CHECK(fits("0.1e131072"));
    CHECK_FALSE(fits("0.1e131073"));
    CHECK(fits("0.001e131074"));
    CHECK_FALSE(fits("0.001e131075"));
    CHECK(fits("1e-16383"));
    CHECK_FALSE(fits("1e-16384"));
    CHECK(fits("0." + std::string(16383, '1')));
    CHECK_FALSE(fits("0." + std::string(16384, '1')));
    CHECK(fits(std::string(131072, '9')));
    CHECK_FALSE(fits(std::string(131073, '9')));
    CHECK(fits("0e999999"));
    CHECK_FALSE(fits("0e-16384"));
    CHECK_FALSE(fits("1e999999999999999999999999"));
    CHECK_FALSE(fits("-1e-999999999999999999999999"));
    CHECK_FALSE(fits("[1, {\"a\": 1e999999}]"));
    CHECK(fits("\"1e999999\""));
    CHECK(fits("1E+131071"));
}

TEST_CASE("length and depth have limits") {
    CHECK(json_text_fits_jsonb("\"abc\"", true, 5, 1));
    CHECK_FALSE(json_text_fits_jsonb("\"abcd\"", true, 5, 1));
    CHECK(json_text_fits_jsonb("[[]]", true, 100, 2));
    CHECK_FALSE(json_text_fits_jsonb("[[[]]]", true, 100, 2));
    CHECK(json_text_fits_jsonb("[[],[],[]]", true, 100, 2));
    CHECK(json_text_fits_jsonb("[\"[[[[\"]", true, 100, 2));
}
