// The delay before the next attempt: base x factor^(attempts - 1), never more than max, less a random part.
#include "pure/backoff.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>
#include <limits>

using namespace pgpubsub;

namespace {
constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max();
constexpr double almost_one = 1 - std::numeric_limits<double>::epsilon();
}  // namespace

TEST_CASE("the delay grows by the factor with each attempt, up to the maximum") {
    const backoff b{.base = 1000, .factor = 3, .max = 50'000, .jitter = 0};
    CHECK(delay_after(b, 1, 0) == 1000);
    CHECK(delay_after(b, 2, 0) == 3000);
    CHECK(delay_after(b, 3, 0) == 9000);
    CHECK(delay_after(b, 4, 0) == 27'000);
    CHECK(delay_after(b, 5, 0) == 50'000);
    CHECK(delay_after(b, 6, 0) == 50'000);
}

TEST_CASE("the factor 1 leaves it as it is") {
    const backoff b{.base = 1000, .factor = 1, .max = 50'000, .jitter = 0};
    for (const int attempts : {1, 2, 100, 32767})
        CHECK(delay_after(b, attempts, 0) == 1000);
}

TEST_CASE("no attempt counts as the first") {
    const backoff b{.base = 1000, .factor = 3, .max = 50'000, .jitter = 0};
    CHECK(delay_after(b, 0, 0) == 1000);
    CHECK(delay_after(b, -1, 0) == 1000);
}

TEST_CASE("a random part of up to the jitter is left out") {
    const backoff b{.base = 1000, .factor = 1, .max = 1000, .jitter = 0.25};
    CHECK(delay_after(b, 1, 0) == 1000);
    CHECK(delay_after(b, 1, 0.5) == 875);
    CHECK(delay_after(b, 1, almost_one) == 750);
}

TEST_CASE("the jitter is taken of what the maximum leaves") {
    const backoff b{.base = 1000, .factor = 10, .max = 2000, .jitter = 0.5};
    CHECK(delay_after(b, 5, 0.5) == 1500);
}

TEST_CASE("jitter 1 leaves anything from nothing to the whole, jitter 0 leaves the whole") {
    backoff b{.base = 1000, .factor = 1, .max = 1000, .jitter = 1};
    CHECK(delay_after(b, 1, 0) == 1000);
    CHECK(delay_after(b, 1, 0.5) == 500);
    CHECK(delay_after(b, 1, almost_one) < 2);
    CHECK(delay_after(b, 1, almost_one) >= 0);
    b.jitter = 0;
    CHECK(delay_after(b, 1, almost_one) == 1000);
}

TEST_CASE("it is never negative, never more than the maximum, and never less than before without jitter") {
    for (const std::int64_t base : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1'000'000}, longest})
        for (const double factor : {1.0, 1.5, 2.0, 1000.0}) {
            for (const double jitter : {0.0, 0.2, 1.0})
                for (const double random : {0.0, 0.5, almost_one})
                    for (int attempts = 1; attempts <= 32767; attempts += attempts < 2000 ? 1 : 997) {
                        const std::int64_t delay = delay_after({base, factor, longest, jitter}, attempts, random);
                        CHECK_MESSAGE(delay >= 0, base, " ", factor, " ", attempts);
                    }
            std::int64_t before = 0;
            for (int attempts = 1; attempts <= 32767; attempts += attempts < 2000 ? 1 : 997) {
                const std::int64_t max = base < 3'600'000'000 ? 3'600'000'000 : base;
                const std::int64_t delay = delay_after({base, factor, max, 0}, attempts, 0);
                CHECK_MESSAGE((before <= delay && delay <= max), base, " ", factor, " ", attempts);
                before = delay;
            }
        }
}

TEST_CASE("without a base there is no delay, however many attempts there were") {
    for (const int attempts : {1, 2, 1000, 1025, 2000, 32767})
        for (const double factor : {1.0, 2.0, 1000.0})
            CHECK_MESSAGE(delay_after({0, factor, 3'600'000'000, 0}, attempts, 0) == 0, attempts, " ", factor);
}

TEST_CASE("the longest there is stays that") {
    CHECK(delay_after({longest, 1, longest, 0}, 1, 0) == longest);
    CHECK(delay_after({1, 1000, longest, 0}, 32767, 0) == longest);
}
