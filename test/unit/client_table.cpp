// Tables for people.
#include <doctest/doctest.h>

#include <string>

#include "output/table.hpp"

using namespace pgpubsub::cli;

TEST_CASE("columns stand side by side, numbers on the right") {
    CHECK(format_table({"channel", "ready"}, {{"media", "12"}, {"größe", "~1000000"}}) ==
          "channel     ready\n"
          "media          12\n"
          "größe    ~1000000\n");
    CHECK(format_table({"id", "error"}, {{"1", "x"}, {"22", "-"}}) == "id  error\n 1  x\n22  -\n");
    CHECK(format_table({"a", "b"}, {}) == "a  b\n");
}

TEST_CASE("a cell is one line, without control characters, of bounded length") {
    CHECK(cell_text("plain") == "plain");
    CHECK(cell_text("two\nlines\t\x1B[31m\x7F") == "two lines  [31m ");
    CHECK(cell_text("a\u2028b\xFF") == "a b\uFFFD");
    CHECK(cell_text("a\xC2\x9B"
                    "b\xC2\xA0") == "a b\xC2\xA0");  // U+009B begins a sequence for the terminal, U+00A0 is a space
    CHECK(cell_text("ääää", 3) == "äää…");
    CHECK(cell_text("äää", 3) == "äää");
    CHECK(cell_text(std::string(1000, 'x')) == std::string(60, 'x') + "…");
}

TEST_CASE("characters that are two columns wide") {
    CHECK(format_table({"channel", "ready"}, {{"メディア", "1"}, {"x", "2"}}) ==
          "channel   ready\nメディア      1\nx             2\n");
    CHECK(cell_text("メディア", 5) == "メデ…");
    CHECK(cell_text("メディア", 8) == "メディア");
}
