// Warnings that are said again and again.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/logger.hpp"
#include "base/repetitions.hpp"

using namespace pgpubsub;
using namespace std::chrono_literals;

namespace {

constexpr auto warning = log_level::warning;
const auto start = pgpubsub::clock::time_point(24h);

}  // namespace

TEST_CASE("twenty of a kind are said, then one a minute with their number") {
    repetitions r;
    int said = 0;
    for (int i = 0; i < 500; ++i)
        said += !r.holds_back(warning, "lost; next attempt in 0." + std::to_string(i) + " s", start + i * 100ms);
    CHECK(said == 20);
    CHECK(r.due(start + 59s).empty());
    auto lines = r.due(start + 60s);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].text == "lost; next attempt in 0.499 s (said 480 times more in the last 60 s)");
    CHECK(lines[0].level == warning);
    CHECK(r.holds_back(warning, "lost; next attempt in 3 s", start + 61s));
    CHECK(r.any_held_back());
    CHECK(r.due(start + 62s, true).at(0).text == "lost; next attempt in 3 s (said 1 time more in the last 2 s)");
    CHECK_FALSE(r.any_held_back());
    CHECK(r.due(start + 10min).empty());
    CHECK_FALSE(r.holds_back(warning, "lost; next attempt in 3 s", start + 11min));  // it was quiet for a while
}

TEST_CASE("what differs in more than numbers is not the same, nor is a name with a number in it") {
    repetitions r;
    int said = 0;
    for (int i = 0; i < 100; ++i)
        said += !r.holds_back(warning, "channel \"c" + std::to_string(i) + "\" is missing", start);
    CHECK(said == 100);
    for (int i = 0; i < 20; ++i)
        CHECK_FALSE(r.holds_back(warning, "a", start));
    CHECK_FALSE(r.holds_back(log_level::error, "a", start));
    CHECK_FALSE(r.holds_back(warning, "b", start));
    CHECK(r.holds_back(warning, "a", start));
}

TEST_CASE("it does not grow without end") {
    repetitions r;
    for (int i = 0; i < 100'000; ++i)
        r.holds_back(warning, "\"" + std::to_string(i) + "\"", start);
    CHECK(r.due(start + 1min, true).empty());
}

TEST_CASE("the log holds warnings back, and tells of them at last") {
    std::vector<std::string> lines;
    logger log([&](log_level, std::string_view text) { lines.emplace_back(text); });
    for (int i = 0; i < 30; ++i)
        log.warning("number {}", i);
    for (int i = 0; i < 30; ++i)
        log.info("number {}", i);
    CHECK(lines.size() == 50);
    log.tell_repetitions();
    CHECK(lines.size() == 50);
    log.tell_repetitions(true);
    CHECK(lines.size() == 51);
    CHECK(lines.back() == "number 29 (said 10 times more in the last 1 s)");
}
