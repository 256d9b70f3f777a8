// One notification is one line, and one message is one line, whatever is in them.
#include <doctest/doctest.h>

#include <string>

#include "base/one_line.hpp"
#include "base/timestamp.hpp"

using namespace pgpubsub;
using namespace std::string_literals;

TEST_CASE("JSON is put on one line") {
    CHECK(json_on_one_line("") == "");
    CHECK(json_on_one_line(R"({"a": [1, 1e400, 12345678901234567890.10, "x y"]})") ==
          R"({"a": [1, 1e400, 12345678901234567890.10, "x y"]})");
    CHECK(json_on_one_line("{\n\t\"a\"\r\n: [ 1,\n2 ]\n}\n") == R"({"a": [ 1,2 ]})");
    CHECK(json_on_one_line("\"a\x7F\u0080\u0085\u009F\u2028\u2029z\"") ==
          R"("a\u007f\u0080\u0085\u009f\u2028\u2029z")");
    CHECK(json_on_one_line(R"("\n\u001b\\")") == R"("\n\u001b\\")");
    CHECK(json_on_one_line("\"\u00a0é€\u2027\u202a😀\"") == "\"\u00a0é€\u2027\u202a😀\"");
}

TEST_CASE("a message is put on one line, and drives no terminal") {
    CHECK(printable("plain täxt 😀") == "plain täxt 😀");
    CHECK(printable("a\nb\r\tc\0d\x1B[2Je\x7F\u009B1mf\u2028g"s) == "a b  c d [2Je  1mf g");
    CHECK(printable("\xFF\x9B\xC2") == "\uFFFD\uFFFD\uFFFD");
}

TEST_CASE("a log line shows the beginning and the end of a long error, as one line") {
    CHECK(excerpt("short\nand two lines") == "short and two lines");
    CHECK(excerpt(std::string(300, 'x')) == std::string(300, 'x'));
    CHECK(excerpt("begin" + std::string(5000, 'x') + "end") ==
          "begin" + std::string(95, 'x') + " … " + std::string(197, 'x') + "end");
    CHECK(excerpt("a\x1B[2Jb") == "a [2Jb");
    std::string umlauts = "x";
    for (int i = 0; i < 500; ++i)
        umlauts += "ä";
    CHECK(to_utf8(excerpt(umlauts)) == excerpt(umlauts));
}

TEST_CASE("times are read") {
    CHECK(microseconds_of("1970-01-01T00:00:00+00:00") == 0);
    CHECK(microseconds_of("1970-01-01T00:00:00.000001+00:00") == 1);
    CHECK(microseconds_of("1969-12-31T23:59:59.5+00") == -500'000);
    CHECK(microseconds_of("2026-01-02T03:04:05.678901+00:00") == 1'767'323'045'678'901);
    CHECK(microseconds_of("2026-01-02T08:34:05.678901+05:30") == 1'767'323'045'678'901);
    CHECK(microseconds_of("2026-01-01T19:34:05.678901-07:30") == 1'767'323'045'678'901);
    CHECK(microseconds_of("2026-01-02T03:23:37+00:19:32") == 1'767'323'045'000'000);
    CHECK(microseconds_of("2000-02-29T00:00:00+00:00") == 951'782'400'000'000);
    CHECK(microseconds_of("10000-01-01T00:00:00+00:00") == 253'402'300'800'000'000);
    CHECK(microseconds_of("0044-03-15T12:00:00+00:00 BC") == -63'517'780'800'000'000);
    CHECK(microseconds_of("294246-01-01T00:00:00+00:00") == 9'223'339'708'800'000'000);
    for (const std::string text :
         {"", "infinity", "-infinity", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05+00",
          "2026-13-02T03:04:05+00:00", "2026-00-02T03:04:05+00:00", "2026-01-32T03:04:05+00:00",
          "2026-01-02T24:04:05+00:00", "2026-01-02T03:60:05+00:00", "2026-01-02T03:04:05.+00:00",
          "2026-01-02T03:04:05.1234567+00:00", "2026-01-02T03:04:05+0", "2026-01-02T03:04:05+00:00x",
          "26-01-02T03:04:05+00:00", "294277-01-01T00:00:00+00:00", "999999-01-01T00:00:00+00:00"})
        CHECK_MESSAGE(!microseconds_of(text), text);
}

TEST_CASE("the idempotency key") {
    CHECK(idempotency_key(7, "2026-01-02T03:04:05.678901+00:00") == "7-1767323045678901");
    CHECK(idempotency_key(7, "2026-01-02T08:34:05.678901+05:30") == "7-1767323045678901");
    CHECK(idempotency_key(9223372036854775807, "1969-12-31T23:59:59.999999+00:00") == "9223372036854775807--1");
    CHECK(idempotency_key(7, "infinity") == "7-infinity");
}
