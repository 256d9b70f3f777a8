// What comes by NOTIFY on a broadcast channel, from pgpubsub and from anybody else, and where it waits.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "consumer/broadcast_queue.hpp"
#include "protocol/envelope.hpp"

using namespace pgpubsub;
using namespace std::string_literals;

TEST_CASE("a broadcast") {
    const auto e = parse_envelope(
        R"({"pgpubsub": "broadcast", "id": 9007199254740993, "channel": "say \"hi\"", "created_at": "2026-01-02T03:04:05+00:00",)"
        R"( "payload": {"n": 12345678901234567890.10, "huge": 1e400, "channel": "x"}, "key": "k\nö", "headers": {"h": [1]}, "db_version": 7})");
    REQUIRE(e);
    CHECK_FALSE(e->by_reference);
    CHECK(e->what.id == 9007199254740993);
    CHECK(e->what.channel == "say \"hi\"");
    CHECK(e->what.created_at == "2026-01-02T03:04:05+00:00");
    CHECK(e->what.payload == R"({"n": 12345678901234567890.10, "huge": 1e400, "channel": "x"})");
    CHECK(e->what.key == "k\nö");
    CHECK(e->what.headers == R"({"h": [1]})");
    CHECK(e->what.db_version == 7);
    CHECK(e->what.attempts == 1);
    CHECK(e->what.idempotency_key == "9007199254740993-1767323045000000");
}

TEST_CASE("a broadcast with little, in the order of jsonb") {
    const auto e = parse_envelope(
        R"({"id":1,"channel":"c","payload":null,"pgpubsub":"broadcast","created_at":"2026-01-02T03:04:05+00:00"})");
    REQUIRE(e);
    CHECK(e->what.payload == "null");
    CHECK_FALSE(e->what.key);
    CHECK_FALSE(e->what.headers);
    CHECK_FALSE(e->what.db_version);
    const auto nulls = parse_envelope(
        R"({"pgpubsub":"broadcast","id":1,"channel":"c","payload":1,"created_at":"2026-01-02T03:04:05+00:00","key":null,"headers":null,"db_version":null})");
    REQUIRE(nulls);
    CHECK_FALSE(nulls->what.key);
    CHECK_FALSE(nulls->what.headers);
}

TEST_CASE("a reference") {
    const auto e = parse_envelope(R"({"pgpubsub": "reference", "id": 12, "channel": "prices"})");
    REQUIRE(e);
    CHECK(e->by_reference);
    CHECK(e->what.id == 12);
    CHECK(e->what.channel == "prices");
}

TEST_CASE("what is no envelope") {
    // Each is this one with one thing changed.
    const auto with = [](const std::string& from, const std::string& to) {
        std::string text =
            R"({"pgpubsub": "broadcast", "id": 1, "channel": "c", "created_at": "2026-01-02T03:04:05+00:00", "payload": 1, "key": "k", "headers": {}, "db_version": 1})";
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        return text.replace(at, from.size(), to);
    };
    CHECK(parse_envelope(with("{", "{")));
    CHECK(parse_envelope(with("1", "9223372036854775807")));
    for (const auto& text : {""s, "hello"s, "1"s, "[]"s, "{}"s, "{"s, R"({"pgpubsub": "broadcast"})"s,
                             R"({"pgpubsub": "reference", "id": 1})"s})
        CHECK_MESSAGE(!parse_envelope(text), text);
    for (const auto& change :
         std::vector<std::pair<std::string, std::string>>{{R"("broadcast")", "1"},
                                                          {R"("broadcast")", R"("other")"},
                                                          {R"("broadcast")", R"("broadcast\u0000")"},
                                                          {"1,", "1.5,"},
                                                          {"1,", R"("1",)"},
                                                          {"1,", "0,"},
                                                          {"1,", "-1,"},
                                                          {"1,", "9223372036854775808,"},
                                                          {R"("id")", R"("no")"},
                                                          {R"("c")", "1"},
                                                          {R"("c")", "null"},
                                                          {R"("c")", R"("c\u0000d")"},
                                                          {R"("c")", "\"\xFF\""},
                                                          {"2026-01-02T03:04:05+00:00", "now"},
                                                          {"2026-01-02T03:04:05+00:00", ""},
                                                          {"2026-01-02T03:04:05+00:00", "infinity"},
                                                          {R"("2026-01-02T03:04:05+00:00")", "null"},
                                                          {R"("created_at")", R"("no")"},
                                                          {R"("payload")", R"("no")"},
                                                          {R"("payload": 1)", R"("payload": )"},
                                                          {R"("payload": 1)", R"("payload": [1,])"},
                                                          {R"("payload": 1)", R"("payload": 1, "payload": 2)"},
                                                          {R"("payload": 1)", R"("payload": 1, "id": 2)"},
                                                          {R"("k")", "1"},
                                                          {R"("k")", R"("k\u0000")"},
                                                          {"{}", "1"},
                                                          {"{}", "[]"},
                                                          {"{}", R"("x")"},
                                                          {R"("db_version": 1)", R"("db_version": "1")"},
                                                          {R"("db_version": 1)", R"("db_version": 2147483648)"}})
        CHECK_MESSAGE(!parse_envelope(with(change.first, change.second)), with(change.first, change.second));
    CHECK_FALSE(parse_envelope(with("{", "{") + " x"));
}

TEST_CASE("what a forger writes over several lines is on one") {
    const auto e = parse_envelope(
        "{\"pgpubsub\":\n\"broadcast\",\"id\":1,\"channel\":\"c\",\"created_at\":\"2026-01-02T03:04:05+00:00\","
        "\"payload\":\r\n"
        "{\n\"a\"\n:\t12345678901234567890.10,\r\n\"b\":[1e400, "
        "\n\"\u2028\u0085\x7F\\n\"]\n},\"headers\":{\"h\"\n:1}}");
    REQUIRE(e);
    CHECK(e->what.payload == R"({"a":12345678901234567890.10,"b":[1e400, "\u2028\u0085\u007f\n"]})");
    CHECK(e->what.headers == R"({"h":1})");
}

TEST_CASE("JSON is read strictly") {
    const auto accepts = [](const std::string& value) {
        return json_scanner("{\"a\": " + value + "}").members().has_value();
    };
    for (const std::string value : {"0", "-0", "-1.5e+3", "1E5", "12.0", "true", "false", "null", "\"\"",
                                    "\"\\u00e9\\ud83d\\ude00\\/\\b\"", "[]", "[ 1 , [2] ]", "{ \"b\" : { } }"})
        CHECK_MESSAGE(accepts(value), value);
    for (const std::string value : {"",
                                    "01",
                                    "1.",
                                    ".5",
                                    "-",
                                    "+1",
                                    "1e",
                                    "nul",
                                    "True",
                                    "\"",
                                    "\"\t\"",
                                    "\"\xFF\"",
                                    "\"\\x\"",
                                    "\"\\u12g4\"",
                                    "\"\\ud83d\"",
                                    "\"\\ude00\"",
                                    "\"\\ud83d\\u0041\"",
                                    "[",
                                    "[1 2]",
                                    "[1,]",
                                    "{\"b\"}",
                                    "{\"b\":1,}",
                                    "{b:1}",
                                    "NaN",
                                    "'x'"})
        CHECK_FALSE_MESSAGE(accepts(value), value);
    CHECK(accepts(std::string(9'000, '[') + std::string(9'000, ']')));
    CHECK_FALSE(accepts(std::string(1'000'000, '[') + std::string(1'000'000, ']')));
}

TEST_CASE("strings are unescaped") {
    CHECK(json_scanner(R"("a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00z")").string_value() ==
          "a\"\\/\b\f\n\r\tAé€😀z");
    CHECK(json_scanner(R"("\u0000")").string_value() == "\0"s);
    CHECK_FALSE(json_scanner("1").string_value());
    CHECK_FALSE(json_scanner(R"("a" )").string_value());
}

TEST_CASE("broadcasts wait in order, and the oldest are dropped when there is no room") {
    broadcast_queue queue(3 * (sizeof(broadcast_queue::entry) + 1));
    for (const std::string text : {"a", "b", "c"})
        queue.push({1, text});
    queue.push({2, "d"});
    CHECK_FALSE(queue.empty());
    const auto first = queue.pop(queue.arrived());
    CHECK(first->what.text == "b");
    CHECK(first->dropped == std::map<std::size_t, std::uint64_t>{{1, 1}});
    for (const std::string text : {"c", "d"}) {
        const auto next = queue.pop(queue.arrived());
        CHECK(next->what.text == text);
        CHECK(next->dropped.empty());
    }
    CHECK(queue.empty());
    CHECK_FALSE(queue.pop(queue.arrived()));
    queue.push({1, std::string(1000, 'x')});  // larger than all the room: it is kept, alone
    CHECK(queue.pop(queue.arrived())->what.text.size() == 1000);
    for (int i = 0; i < 3; ++i)
        queue.push({1, "y"});
    CHECK(queue.pop(queue.arrived())->dropped.empty());
}

TEST_CASE("those that come later are left, also when they push out earlier ones") {
    broadcast_queue queue(2 * (sizeof(broadcast_queue::entry) + 1));
    queue.push({1, "a"});
    const auto arrived = queue.arrived();
    CHECK(arrived == 1);
    for (const std::string text : {"b", "c"})
        queue.push({1, text});  // no room for a
    CHECK_FALSE(queue.pop(arrived));
    CHECK(queue.pop(queue.arrived())->what.text == "b");
}

TEST_CASE("a gap has its place among them, and is not forgotten when it is dropped") {
    broadcast_queue queue(3 * (sizeof(broadcast_queue::entry) + 1));
    queue.push({1, "a"});
    queue.push_gap();
    queue.push({1, "b"});
    CHECK(queue.pop(queue.arrived())->what.text == "a");
    CHECK(queue.pop(queue.arrived())->what.is_gap);
    const auto behind = queue.pop(queue.arrived());
    CHECK(behind->what.text == "b");
    CHECK_FALSE(behind->after_gap);
    queue.push({2, "c"});
    queue.push_gap();
    for (const std::string text : {"d", "e", "f"})
        queue.push({1, text});
    const auto next = queue.pop(queue.arrived());
    CHECK(next->what.text == "d");
    CHECK(next->after_gap);
    CHECK(next->dropped == std::map<std::size_t, std::uint64_t>{{2, 1}});
}
