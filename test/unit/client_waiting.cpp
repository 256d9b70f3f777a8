// Pauses, due times and batch sizes.
#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "base/backoff.hpp"
#include "base/random.hpp"
#include "base/waiting.hpp"

using namespace pgpubsub;
using namespace std::chrono_literals;

TEST_CASE("back-off doubles up to its cap and uses between a half and the whole") {
    CHECK(backoff_delay(1, 100ms, 30s, 0.0) == 50ms);
    CHECK(backoff_delay(1, 100ms, 30s, 1.0) == 100ms);
    CHECK(backoff_delay(2, 100ms, 30s, 1.0) == 200ms);
    CHECK(backoff_delay(9, 100ms, 30s, 1.0) == 25600ms);
    CHECK(backoff_delay(10, 100ms, 30s, 1.0) == 30s);
    CHECK(backoff_delay(10, 100ms, 30s, 0.0) == 15s);
}

TEST_CASE("of failures in a row ever fewer are said aloud, but never none") {
    std::vector<int> said;
    for (int i = 1; i <= 200; ++i)
        if (worth_a_warning(i))
            said.push_back(i);
    CHECK(said == std::vector<int>{1, 2, 4, 8, 16, 32, 64, 128});
}

TEST_CASE("back-off neither overflows nor underflows") {
    const auto year = std::chrono::duration_cast<std::chrono::milliseconds>(8760h);
    CHECK(backoff_delay(std::numeric_limits<int>::max(), 1ms, year, 1.0) == year);
    CHECK(backoff_delay(0, 100ms, 30s, 1.0) == 100ms);
    CHECK(backoff_delay(-5, 100ms, 30s, 1.0) == 100ms);
    CHECK(backoff_delay(3, 10s, 1s, 1.0) == 1s);  // a minimum above the maximum gives way
    CHECK(backoff_delay(1, 100ms, 30s, 7.0) == 100ms);
    CHECK(backoff_delay(1, 100ms, 30s, -7.0) == 50ms);
}

TEST_CASE("back-off starts again after a success") {
    backoff pauses(100ms, 1s);
    CHECK(pauses.next(1.0) == 100ms);
    CHECK(pauses.next(1.0) == 200ms);
    CHECK(pauses.failures() == 2);
    pauses.reset();
    CHECK(pauses.next(1.0) == 100ms);
}

TEST_CASE("an interval is made longer by up to a quarter, and never shorter") {
    CHECK(jittered(60s, 0.0) == 60s);
    CHECK(jittered(60s, 0.5) == 67500ms);
    CHECK(jittered(60s, 1.0) == 75s);
    CHECK(jittered(60s, -1.0) == 60s);
    for (int i = 0; i < 1000; ++i) {
        const double u = random_unit();
        CHECK_MESSAGE((u >= 0.0 && u < 1.0), u);
    }
}

TEST_CASE("seconds until due, as the server writes a float8") {
    CHECK(parse_due("1.5") == 1500ms);
    CHECK(parse_due("0.0001") == 1ms);  // never too early
    CHECK(parse_due("-3.25") == -3250ms);
    CHECK(parse_due("1e-05") == 1ms);
    CHECK(parse_due("0") == 0ms);
    CHECK(parse_due("1e300").value() > 24h * 300);
    CHECK(parse_due("-Infinity").value() < 0ms);
    CHECK_FALSE(parse_due("Infinity"));
    CHECK_FALSE(parse_due("NaN"));
    CHECK_FALSE(parse_due(""));
    CHECK_FALSE(parse_due("1.5 s"));
}

TEST_CASE("an overdue notification that nobody hands out is asked for ever less often") {
    CHECK(due_wait(1500ms, 0) == 1500ms);
    CHECK(due_wait(1500ms, 9) == 1500ms);
    CHECK_FALSE(due_wait(std::nullopt, 3));
    CHECK(due_wait(0ms, 0) == 10ms);
    CHECK(due_wait(-5s, 1) == 20ms);
    CHECK(due_wait(-5s, 7) == 1280ms);
    CHECK(due_wait(-5s, 1'000'000) == 1280ms);
    CHECK(due_wait(-5s, -1) == 10ms);
}

TEST_CASE("hints that lead to nothing again and again are followed later") {
    CHECK(hint_spread(0) == 0ms);
    CHECK(hint_spread(3) == 0ms);
    CHECK(hint_spread(4) == 1ms);
    CHECK(hint_spread(7) == 8ms);
    CHECK(hint_spread(9) == 20ms);
    CHECK(hint_spread(1'000'000) == 20ms);
}

TEST_CASE("waits that are in vain are followed by ever longer pauses") {
    CHECK(pause_after_vain_waits(0) == 0ms);
    CHECK(pause_after_vain_waits(1) == 0ms);  // another consumer was quicker
    CHECK(pause_after_vain_waits(2) == 10ms);
    CHECK(pause_after_vain_waits(3) == 20ms);
    CHECK(pause_after_vain_waits(9) == 1280ms);
    CHECK(pause_after_vain_waits(1'000'000) == 1280ms);
}

TEST_CASE("batches grow while they are full and quick, and shrink when they are slow") {
    CHECK(next_batch_size(1, 1, 0ms, 50) == 2);
    CHECK(next_batch_size(32, 32, 99ms, 50) == 50);
    CHECK(next_batch_size(50, 50, 0ms, 50) == 50);
    CHECK(next_batch_size(8, 3, 1ms, 50) == 8);    // not full: no reason to ask for more
    CHECK(next_batch_size(8, 8, 200ms, 50) == 8);  // in between: leave it
    CHECK(next_batch_size(50, 50, 500ms, 50) == 25);
    CHECK(next_batch_size(50, 50, 10min, 50) == 1);
    CHECK(next_batch_size(1, 1, 10min, 50) == 1);
    CHECK(next_batch_size(50, 50, 251ms, 50) == 49);
    CHECK(next_batch_size(1, 1, 0ms, 1) == 1);
}
