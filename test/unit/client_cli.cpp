// The pure parts of the command-line program, and the public value types.
#include <doctest/doctest.h>

#include <csignal>
#include <limits>
#include <string>

#include <pgpubsub/pgpubsub.hpp>

#include "base/text.hpp"
#include "commands/listen.hpp"
#include "exec/exec_command.hpp"
#include "options/duration.hpp"
#include "output/exit_status.hpp"
#include "output/json_line.hpp"

using namespace pgpubsub;
using namespace pgpubsub::cli;
using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_CASE("durations") {
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("30") == 30s);
    CHECK(parse_duration("5m") == 5min);
    CHECK(parse_duration("5min") == 5min);
    CHECK(parse_duration("2h") == 2h);
    CHECK(parse_duration("1d") == 24h);
    CHECK(parse_duration("0s") == 0s);
    for (const std::string text :
         {"", "s", "-1s", "1.5s", "1 s", "10w", "99999999999d", "9223372036854775807ms", "0x10"})
        CHECK_FALSE_MESSAGE(parse_duration(text), text);
}

TEST_CASE("what a worker's end means") {
    const auto exited = [](int status) { return status << 8; };
    CHECK(judge_worker(exited(0), false) == verdict::replace);
    CHECK(judge_worker(exited(0), true) == verdict::finished);
    CHECK(judge_worker(exited(1), false) == verdict::give_up);
    CHECK(judge_worker(exited(1), true) == verdict::give_up);
    CHECK(judge_worker(exited(2), false) == verdict::give_up);
    CHECK(judge_worker(exited(unfinished), true) == verdict::finished);
    CHECK(judge_worker(exited(unfinished), false) == verdict::replace);
    CHECK(judge_worker(exited(42), false) == verdict::replace);
    CHECK(judge_worker(SIGKILL, false) == verdict::replace);
    CHECK(judge_worker(SIGSEGV, true) == verdict::replace);
    CHECK(describe_end(exited(3)) == "exited with status 3");
    CHECK(describe_end(SIGKILL) == "was killed by signal 9 (Killed)");
}

TEST_CASE("what a command's exit status 65 means") {
    CHECK(is_rejection(65 << 8));
    CHECK_FALSE(is_rejection(0));
    CHECK_FALSE(is_rejection(1 << 8));
    CHECK_FALSE(is_rejection(65));  // a signal
}

TEST_CASE("options that make sense for queue channels only") {
    CHECK(queue_only_option({.command = "true", .poll_interval = 1s}) == nullptr);
    CHECK(queue_only_option({.processes = 1}) == nullptr);
    CHECK(queue_only_option({.processes = 2}) == "--processes"s);
    CHECK(queue_only_option({.drain = true}) == "--drain"s);
    CHECK(queue_only_option({.no_listen = true}) == "--no-listen"s);
    CHECK(queue_only_option({.subscription = "default"}) == "--subscription"s);
    CHECK(queue_only_option({.mode = "leased", .lease = 2s}) == "--mode"s);
}

TEST_CASE("what a failed command leaves as its error") {
    CHECK(failure_text({.wait_status = 3 << 8, .stderr_tail = "no such file\n"}) ==
          "the command exited with status 3: no such file");
    CHECK(failure_text({.wait_status = 1 << 8, .stderr_tail = " \n"}) == "the command exited with status 1");
    CHECK(failure_text({.wait_status = SIGTERM, .stderr_tail = ""}) ==
          "the command was killed by signal 15 (Terminated)");
}

TEST_CASE("a long error keeps how the command ended, and the end of what it said") {
    const std::string prefix = "the command exited with status 3: ";
    const auto text = failure_text({.wait_status = 3 << 8, .stderr_tail = std::string(8192, 'x') + "END\n"});
    CHECK(text.size() == 8192);
    CHECK(text.starts_with(prefix + "xxx"));
    CHECK(text.ends_with("xEND"));
    // What is no UTF-8 grows when it is stored, and must not push the beginning out.
    for (const std::string& said : {std::string(8192, '\xFF'), std::string(8192, '\0')})
        CHECK(storable_error(failure_text({.wait_status = 3 << 8, .stderr_tail = said})).starts_with(prefix));
    std::string umlauts;
    for (int i = 0; i < 4096; ++i)
        umlauts += "ä";
    const auto cut = failure_text({.wait_status = 3 << 8, .stderr_tail = umlauts});
    CHECK(cut.starts_with(prefix + "ä"));
    CHECK(cut.size() > 2500);
}

TEST_CASE("a notification as a line of JSON") {
    notification n;
    n.id = 9007199254740993;  // no double holds it
    n.channel = "Quotes \" and \\ and\nnewlines";
    n.payload = R"({"n": 12345678901234567890.10, "a": [1e400]})";
    n.created_at = "2026-01-02T03:04:05.678901+00:00";
    n.attempts = 1;
    n.idempotency_key = "9007199254740993-1767323045678901";
    CHECK(
        json_line(n) ==
        R"({"id":9007199254740993,"channel":"Quotes \" and \\ and\nnewlines",)"
        R"("payload":{"n": 12345678901234567890.10, "a": [1e400]},"key":null,"headers":null,)"
        R"("created_at":"2026-01-02T03:04:05.678901+00:00","deliver_at":null,"priority":0,"attempts":1,"db_version":null,)"
        R"("idempotency_key":"9007199254740993-1767323045678901"})");
    n.payload = "null";
    n.key = "k\t\xFF";
    n.headers = R"({"a": 1})";
    n.deliver_at = "infinity";
    n.priority = -3;
    n.db_version = 7;
    CHECK(json_line(n).ends_with(R"("payload":null,"key":"k\t)"
                                 "\xEF\xBF\xBD"
                                 R"(","headers":{"a": 1},"created_at":"2026-01-02T03:04:05.678901+00:00",)"
                                 R"("deliver_at":"infinity","priority":-3,"attempts":1,"db_version":7,)"
                                 R"("idempotency_key":"9007199254740993-1767323045678901"})"));
    n.channel = "a\u0085b";
    n.payload = "{\n\"a\":\r\n\"\u2028\"\t}";
    n.key = "\x1B[2J\x7F";
    n.created_at = "\u2029";
    CHECK(json_line(n).starts_with(
        R"({"id":9007199254740993,"channel":"a\u0085b","payload":{"a":"\u2028"},"key":"\u001b[2J\u007f",)"
        R"("headers":{"a": 1},"created_at":"\u2029",)"));
}

TEST_CASE("JSON is checked before it is sent") {
    for (const std::string text : {"1", "\"x\"", "null", " {\"a\": [1, 2.5e3, true]} \n", "[]", "1e999", "-0",
                                   "123456789012345678901234567890", "{\"a\": 1e99999}"})
        CHECK_MESSAGE(!json_problem(text), text);
    CHECK(json_problem("{\"a\":\n 1,\n}").value().starts_with("line 3, column 1: "));
    CHECK(json_problem("hello").value().starts_with("line 1, column 1: "));
    for (const std::string text :
         {"", " ", "{", "{'a': 1}", "[1,]", "01", "nul", "{\"a\" 1}", "1 2", "\"\t\"", "\"\xFF\"", "NaN"})
        CHECK_MESSAGE(json_problem(text), text);
}

TEST_CASE("SQL parameters") {
    CHECK_FALSE(param(nullptr).text());
    CHECK_FALSE(param(std::nullopt).text());
    CHECK_FALSE(param(std::optional<int>()).text());
    CHECK_FALSE(param(static_cast<const char*>(nullptr)).text());
    CHECK(param("text").text() == "text");
    CHECK(param("a\0b"s).text() == "a\0b"s);
    CHECK(param(std::optional<std::string>("x")).text() == "x");
    CHECK(param(true).text() == "true");
    CHECK(param(false).text() == "false");
    CHECK(param(std::numeric_limits<std::int64_t>::min()).text() == "-9223372036854775808");
    CHECK(param(std::numeric_limits<std::uint64_t>::max()).text() == "18446744073709551615");
    CHECK(param(0.1).text() == "0.1");
    CHECK(param(std::numeric_limits<double>::infinity()).text() == "Infinity");
    CHECK(param(-std::numeric_limits<double>::infinity()).text() == "-Infinity");
    CHECK(param(std::numeric_limits<double>::quiet_NaN()).text() == "NaN");
    CHECK(std::stod(*param(1.0 / 3).text()) == 1.0 / 3);
}

TEST_CASE("errors know what they are") {
    const error lost("gone", {.sqlstate = "08006", .connection_lost = true});
    CHECK(lost.retryable());
    CHECK(lost.connection_lost());
    CHECK_FALSE(lost.in_doubt());
    const error copied = lost;
    CHECK(copied.sqlstate() == "08006");
    CHECK(copied.what() == "gone"s);
    CHECK_FALSE(error("x", {.sqlstate = "23505"}).retryable());
    CHECK(error("x", {.sqlstate = "40001"}).retryable());
    CHECK(error("x").sqlstate().empty());
}
