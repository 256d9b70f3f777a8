// Quoting, UTF-8, statements and versions.
#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/quoting.hpp"
#include "base/sqlstate.hpp"
#include "base/text.hpp"
#include "base/version_number.hpp"
#include "pq/sql_text.hpp"

using namespace pgpubsub;
using namespace std::string_literals;

TEST_CASE("identifiers are quoted") {
    CHECK(quote_identifier("media") == R"("media")");
    CHECK(quote_identifier("My Channel") == R"("My Channel")");
    CHECK(quote_identifier(R"(say "hi"; DROP TABLE x; --)") == R"("say ""hi""; DROP TABLE x; --")");
    CHECK(quote_identifier("") == R"("")");
    CHECK(quote_identifier("größe'\\") == "\"größe'\\\"");
}

TEST_CASE("arrays of text are quoted") {
    CHECK(array_literal(std::vector<std::string>{}) == "{}");
    CHECK(array_literal(std::vector<std::string>{"1:ab", "2:cd"}) == R"({"1:ab","2:cd"})");
    CHECK(array_literal(std::vector<std::string>{"NULL", "", "a,b", "{}"}) == R"({"NULL","","a,b","{}"})");
    CHECK(array_literal(std::vector<std::string>{R"(")", R"(\)"}) == R"({"\"","\\"})");
    CHECK(array_literal(std::array{std::string_view("x")}) == R"({"x"})");
    CHECK(array_literal(std::vector<std::optional<std::string>>{"NULL", std::nullopt, "a"}) == R"({"NULL",NULL,"a"})");
}

TEST_CASE("names of channels and subscriptions") {
    CHECK(name_problem("a") == nullptr);
    CHECK(name_problem(std::string(63, 'x')) == nullptr);
    CHECK(name_problem("Ünïcödé \"and\" spaces") == nullptr);
    CHECK(name_problem("") != nullptr);
    CHECK(name_problem(std::string(64, 'x')) != nullptr);
    CHECK(name_problem(std::string(31, 'x') + "ääääääääääääääääää") != nullptr);  // 49 characters, 67 bytes
    CHECK(name_problem("a\0b"s) != nullptr);
}

TEST_CASE("UTF-8 sequences are recognised") {
    CHECK(utf8_sequence("a") == 1);
    CHECK(utf8_sequence("é") == 2);
    CHECK(utf8_sequence("€") == 3);
    CHECK(utf8_sequence("😀") == 4);
    CHECK(utf8_sequence("") == 0);
    CHECK(utf8_sequence("\x80") == 0);
    CHECK(utf8_sequence("\xC0\xAF") == 0);          // overlong
    CHECK(utf8_sequence("\xE0\x80\xAF") == 0);      // overlong
    CHECK(utf8_sequence("\xF0\x80\x80\xAF") == 0);  // overlong
    CHECK(utf8_sequence("\xED\xA0\x80") == 0);      // a surrogate
    CHECK(utf8_sequence("\xF4\x90\x80\x80") == 0);  // above U+10FFFF
    CHECK(utf8_sequence("\xE2\x82") == 0);          // cut
    CHECK(utf8_sequence("\xE2\x82x") == 0);
}

TEST_CASE("an error text becomes storable") {
    CHECK(storable_error("plain") == "plain");
    CHECK(storable_error("") == "");
    CHECK(storable_error("a\0b"s) ==
          "a\xEF\xBF\xBD"
          "b");
    CHECK(storable_error("\xFF") == "\xEF\xBF\xBD");
    CHECK(storable_error("täglich 😀\n") == "täglich 😀\n");
}

TEST_CASE("of a long error text the end is kept, cut between characters") {
    CHECK(storable_error("0123456789", 4) == "6789");
    CHECK(storable_error("ää", 3) == "ä");
    CHECK(storable_error("😀x", 4) == "x");
    // Each invalid byte grows to three.
    const std::string grown = storable_error(std::string(100, '\xFF'), 100);
    CHECK(grown.size() <= 100);
    CHECK(grown.size() >= 97);
    CHECK(utf8_sequence(grown) == 3);
    CHECK(storable_error(std::string(1'000'000, 'x')).size() == 8192);
}

TEST_CASE("names and texts for hints") {
    CHECK(quote_role("ann") == "ann");
    CHECK(quote_role("Ann") == "\"Ann\"");
    CHECK(quote_role("1st") == "\"1st\"");
    CHECK(quote_literal("it's") == "'it''s'");
}

TEST_CASE("statements that end or begin a transaction are recognised") {
    for (const std::string sql : {"COMMIT",
                                  "commit;",
                                  "  Commit work",
                                  "END",
                                  "ROLLBACK",
                                  "rollback;",
                                  "rollback work",
                                  "ROLLBACK AND CHAIN",
                                  "abort",
                                  "BEGIN",
                                  "begin isolation level serializable",
                                  "START TRANSACTION",
                                  "PREPARE TRANSACTION 'x'",
                                  "COMMIT PREPARED 'x'",
                                  "-- a comment\nCOMMIT",
                                  "/* a /* nested */ one */ commit",
                                  ";;COMMIT",
                                  "commit--",
                                  "commit/**/",
                                  "ROLLBACK PREPARED 'to'"})
        CHECK_MESSAGE(controls_transaction(sql), sql);
}

TEST_CASE("other statements are left alone") {
    for (const std::string sql :
         {"", "SELECT 1", "ROLLBACK TO a", "rollback work to savepoint a", "rollback /* x */ transaction to a",
          "SAVEPOINT a", "RELEASE a", "PREPARE plan AS SELECT 1", "prepare transaction_plan AS SELECT 1", "beginning",
          "ends", "INSERT INTO commit VALUES (1)", "-- COMMIT", "/* COMMIT", "'COMMIT'", "commit_all()",
          "DO $$ BEGIN END $$"})
        CHECK_FALSE_MESSAGE(controls_transaction(sql), sql);
}

TEST_CASE("statements about a savepoint of the library, and about settings, are recognised") {
    for (const std::string sql :
         {"SAVEPOINT ours", "release savepoint OURS", "ROLLBACK TO SAVEPOINT \"ours\"", "-- x\nrollback work to ours"})
        CHECK_MESSAGE(is_about_savepoint(sql, "ours"), sql);
    for (const std::string sql : {"SAVEPOINT mine", "SELECT 'ours'", "ROLLBACK TO mine", ""})
        CHECK_FALSE_MESSAGE(is_about_savepoint(sql, "ours"), sql);
    for (const std::string sql :
         {"SET ROLE x", "set local a = 1", "RESET ALL", "select pg_catalog.Set_Config('a', 'b', false)",
          "/* x */ SET SESSION AUTHORIZATION x"})
        CHECK_MESSAGE(changes_settings(sql), sql);
    for (const std::string sql : {"SELECT 1", "UPDATE t SET a = 1", "settle()", ""})
        CHECK_FALSE_MESSAGE(changes_settings(sql), sql);
}

TEST_CASE("versions compare by their numbers") {
    CHECK((compare_versions("0.1.0", "0.1.0") == 0));
    CHECK((compare_versions("0.1", "0.1.0") == 0));
    CHECK((compare_versions("0.1.0", "0.2.0") < 0));
    CHECK((compare_versions("0.10.0", "0.9.9") > 0));
    CHECK((compare_versions("1", "0.99.99") > 0));
    CHECK((compare_versions("0.0.1", "0.1.0") < 0));
    CHECK((compare_versions("0.1.0-dev", "0.1.0") == 0));
    CHECK((compare_versions("", "0.1.0") < 0));
}

TEST_CASE("SQLSTATEs are judged") {
    for (const std::string state : {"08006", "08001", "40001", "40P01", "53300", "55P03", "57P01", "57P03", "25006"})
        CHECK_MESSAGE(sqlstate::is_retryable(state), state);
    for (const std::string state : {"", "08004", "22023", "23505", "42501", "42704", "42883", "0A000", "57014"})
        CHECK_FALSE_MESSAGE(sqlstate::is_retryable(state), state);
    for (const std::string state : {"42501", "42883", "3F000", "0A000", "22023", "22P02", "42809"})
        CHECK(sqlstate::is_permanent(state));
    for (const std::string state : {"42704", "40001", "08006", ""})
        CHECK_FALSE(sqlstate::is_permanent(state));
    CHECK(sqlstate::is_unreadable("22021"));
    CHECK(sqlstate::is_unreadable("22P05"));
    CHECK_FALSE(sqlstate::is_unreadable("22P02"));
    CHECK(sqlstate::is_conflict("40P01"));
    CHECK_FALSE(sqlstate::is_conflict("25006"));
    CHECK(sqlstate::ends_connection("57P01"));
    CHECK(sqlstate::ends_connection("08006"));
    CHECK_FALSE(sqlstate::ends_connection("57014"));
}
