// More of the pure parts of the program: its command line, its words, JSON, commands without a shell, the width of
// text.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/json_syntax.hpp"
#include "exec/plain_command.hpp"
#include "options/command_line.hpp"
#include "output/exit_status.hpp"
#include "output/json_line.hpp"
#include "output/terminal.hpp"
#include "output/wording.hpp"

using namespace pgpubsub::cli;
using pgpubsub::json_syntax;
using namespace std::string_literals;
using words = std::vector<std::string>;

TEST_CASE("options in front of the subcommand") {
    const auto lookup = [](const std::string& name) -> std::optional<bool> {
        if (name == "--dsn")
            return true;
        if (name == "-v" || name == "--json")
            return false;
        return std::nullopt;
    };
    const auto first = [&](words arguments) {
        return subcommand_first(std::move(arguments), {"listen", "stats"}, lookup);
    };
    CHECK(first({"stats"}) == words{"stats"});
    CHECK(first({"stats", "--dsn", "x", "-y", "--", "z"}) == words{"stats", "--dsn", "x", "-y", "--", "z"});
    CHECK(first({"--dsn", "x", "stats", "y"}) == words{"stats", "--dsn", "x", "y"});
    CHECK(first({"--dsn", "stats", "listen"}) == words{"listen", "--dsn", "stats"});
    CHECK(first({"--dsn=stats", "-v", "listen", "--", "-x"}) == words{"listen", "--dsn=stats", "-v", "--", "-x"});
    CHECK(first({"--dsn", "--json", "stats"}) == words{"stats", "--dsn", "--json"});
    CHECK(first({"--", "stats"}) == words{"stats"});
    CHECK(first({"--json", "--help"}) == words{"--help"});
    CHECK(first({"help"}) == words{"--help"});
    CHECK(first({"help", "stats"}) == words{"stats", "--help"});
    CHECK(first({"-V"}) == words{"--version"});
    CHECK(first({"version", "x"}) == words{"--version"});
    CHECK_THROWS_WITH_AS(first({"-x"}), "unknown option \"-x\"", wrong_command_line);
    CHECK_THROWS_WITH_AS(first({"--x=1", "stats"}), "unknown option \"--x\"", wrong_command_line);
    CHECK_THROWS_WITH_AS(first({"--dsn"}), "a subcommand is missing", wrong_command_line);
    CHECK_THROWS_WITH_AS(first({"help", "x"}), "unknown subcommand \"x\"; there are: listen, stats",
                         wrong_command_line);
    CHECK_THROWS_AS(first({""}), wrong_command_line);

    CHECK(unexpected({"publish", "m", "--delay", "5m"}, {"5m", "--delay"}) == "unknown option \"--delay\"");
    CHECK(unexpected({"publish", "m", "--delay=5m"}, {"--delay=5m"}) == "unknown option \"--delay\"");
    CHECK(unexpected({"publish", "m", "2", "3"}, {"3", "2"}) == "unexpected argument \"2\"");
}

TEST_CASE("hints speak of the program's commands") {
    CHECK(in_own_words("Pass if_not_exists => true if that is fine.") == "Pass --if-not-exists if that is fine.");
    CHECK(in_own_words("SELECT name FROM pgpubsub.channels lists those that there are.") ==
          "pgpubsub channels lists those that there are.");
    CHECK(in_own_words("x; SELECT pgpubsub.subscribe('a b', 'c') makes this one.") ==
          "x; pgpubsub subscribe 'a b' 'c' makes this one.");
    for (const std::string text :
         {"SELECT pgpubsub.subscribe('it''s', 'c') makes this one.", "SELECT pgpubsub.subscribe('a'", "",
          "SELECT pgpubsub.create_channel('a') makes this one."})
        CHECK(in_own_words(text) == text);
}

TEST_CASE("commands that need no shell") {
    CHECK(plain_words("true") == words{"true"});
    CHECK(plain_words(" php  handle.php\t--level=3 ") == words{"php", "handle.php", "--level=3"});
    CHECK(plain_words("./scan.sh +x a:b @c 5%") == words{"./scan.sh", "+x", "a:b", "@c", "5%"});
    for (const std::string command :
         {"",      " ",       "a; b",   "a | b",  "a > b", "'a'",    "\"a\"", "a $b",   "a `b`", "a *.c",
          "a ?",   "a [b]",   "a ~",    "a#b",    "a & b", "a\\b",   "a\nb",  "(a)",    "{ a",   "! a",
          "X=1 a", "cd /tmp", "exit 1", "echo x", ". ./x", "exec a", "if a",  "time a", "ä"})
        CHECK_MESSAGE(!plain_words(command), command);
    CHECK(find_program("/bin/sh") == "/bin/sh");
    CHECK(find_program("sh").value_or("").ends_with("/sh"));
    CHECK_FALSE(find_program("/"));
    CHECK_FALSE(find_program("/etc/passwd"));
    CHECK_FALSE(find_program("no-such-program-anywhere"));
}

TEST_CASE("what says that a command was not run") {
    CHECK(is_not_run(126 << 8));
    CHECK(is_not_run(127 << 8));
    CHECK_FALSE(is_not_run(125 << 8));
    CHECK_FALSE(is_not_run(127));  // a signal
    CHECK(judge_worker(lacking << 8, true) == verdict::replace);
    CHECK(judge_worker(lacking << 8, false) == verdict::replace);
}

TEST_CASE("the syntax of JSON") {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); };
    for (const std::string& text :
         {"{}"s, "[]"s, " [ ] "s, "{ \"a\" : { } , \"b\" : [ 1 , {} ] }"s, "\"\\u00e4\\ud83d\\ude00\\\\\""s,
          "\"ä😀\x7F\""s, "-0.5e-7"s, "0"s, "1E+9"s, "true"s, nested(1'000'000)})
        CHECK(!json_syntax::first_error(text));
    const auto error_at = [](const std::string& text) { return json_syntax::first_error(text); };
    CHECK(error_at("") == 0);
    CHECK(error_at("[1,]") == 3);
    CHECK(error_at("{\"a\":1,}") == 7);
    CHECK(error_at("{\"a\" 1}") == 5);
    CHECK(error_at("[1 2]") == 3);
    CHECK(error_at("1 2") == 2);
    CHECK(error_at("[1}") == 2);
    CHECK(error_at("01") == 1);
    CHECK(error_at("\"a\nb\"") == 2);
    CHECK(error_at("{\"a\": 1}\0"s) == 8);
    for (const std::string text : {"\"\\ud83d\"",
                                   "\"\\ude00\"",
                                   "\"\\x\"",
                                   "\"\\u12g4\"",
                                   "\"\xFF\"",
                                   "\"\xC0\x80\"",
                                   "\"a",
                                   "nul",
                                   "truth",
                                   "-",
                                   "1.",
                                   "1e",
                                   ".5",
                                   "+1",
                                   "'a'",
                                   "{a:1}",
                                   "{1:1}",
                                   "]",
                                   "[",
                                   "{",
                                   "{\"a\"",
                                   "{\"a\":",
                                   "[1",
                                   "\xEF\xBB\xBF"
                                   "1"})
        CHECK_MESSAGE(error_at(text), text);
    CHECK(json_problem("{\"a\":\n 1}\0"s) == "line 2, column 4: a zero byte, which JSON can't have");
    CHECK(json_problem("\xEF\xBB\xBF"
                       "1") == "line 1, column 1: a byte order mark, which JSON can't have");
    CHECK(json_problem("[\n" + std::string(2'000'000, ' ') + "x") ==
          "line 2, column 2000001: here it stops being JSON");
}

TEST_CASE("how wide a text is") {
    CHECK(width_of("") == 0);
    CHECK(width_of("abc") == 3);
    CHECK(width_of("größe") == 5);
    CHECK(width_of("メディア") == 8);
    CHECK(width_of("🎉") == 2);
    CHECK(width_of("e\u0301") == 1);  // a combining accent
    CHECK(width_of("\xFF") == 1);
}

TEST_CASE("help in the width of the terminal") {
    CHECK(wrapped("one two three\n", 80, 10) == "one two three\n");
    CHECK(wrapped("one two three\nfour\n\nfive", 8, 10) == "one two\nthree\nfour\n\nfive\n");
    CHECK(wrapped("  --a     one two three\n", 16, 10) == "  --a     one\n          two\n          three\n");
    CHECK(wrapped("  --a     unbreakable-word x\n", 16, 10) == "  --a     unbreakable-word\n          x\n");
    CHECK(wrapped("averyveryverylongword\n", 10, 26) == "averyveryverylongword\n");
}
