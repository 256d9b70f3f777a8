// When background processes try again what has failed: with an injected clock.
#include "pure/retry.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

using namespace pgpubsub;

namespace {
constexpr retry::pauses pauses{.first = 10, .longest = 60};
}  // namespace

TEST_CASE("what has not failed may be tried at any time") {
    retry r(pauses);
    CHECK(r.may_try(at_once));
    CHECK(!r.is_failing());
    int runs = 0;
    for (int i = 0; i < 3; ++i)
        r.attempt(5, [&] { return ++runs > 0; });
    CHECK(runs == 3);
    CHECK(!r.is_failing());
}

TEST_CASE("the pause doubles with each failure in a row, up to the longest") {
    retry r(pauses);
    std::int64_t now = 0;
    for (const std::int64_t pause : {10, 20, 40, 60, 60, 60}) {
        r.fail(now);
        CHECK(r.not_before() == now + pause);
        CHECK(!r.may_try(now + pause - 1));
        CHECK(r.may_try(now + pause));
        now += pause;
    }
}

TEST_CASE("an attempt that does not come back counts as failed") {
    retry r(pauses);
    bool was_failing = false;
    r.attempt(0, [&] {
        was_failing = r.is_failing() && !r.may_try(9);  // as it is left if f never returns
        return true;
    });
    CHECK(was_failing);
    CHECK(!r.is_failing());
    CHECK(r.may_try(1));
}

TEST_CASE("an attempt that did nothing is no success") {
    retry r(pauses);
    r.fail(0);
    r.fail(10);
    r.attempt(30, [] { return false; });
    CHECK(r.is_failing());
    r.fail(30);
    CHECK(r.not_before() == 30 + 40);
}

TEST_CASE("a success begins anew") {
    retry r(pauses);
    r.fail(0);
    r.fail(10);
    r.attempt(30, [] { return true; });
    CHECK(!r.is_failing());
    r.fail(40);
    CHECK(r.not_before() == 50);
}

TEST_CASE("nothing runs before its time, unless the reason may be gone") {
    retry r(pauses);
    r.fail(0);
    int runs = 0;
    r.attempt(9, [&] { return ++runs > 0; });
    CHECK(runs == 0);
    r.try_at_once();
    CHECK(r.is_failing());
    r.attempt(9, [&] { return ++runs > 0; });
    CHECK(runs == 1);
}

TEST_CASE("a pause can be shortened, not lengthened") {
    retry r(pauses);
    r.fail(0);
    r.wait_no_longer_than(0, 5);
    CHECK(r.not_before() == 5);
    r.wait_no_longer_than(0, 50);
    CHECK(r.not_before() == 5);
}

TEST_CASE("without a pause it goes on failing, and is tried at once") {
    retry r({.first = 0, .longest = 0});
    r.fail(3);
    CHECK(r.is_failing());
    CHECK(r.may_try(3));
}
