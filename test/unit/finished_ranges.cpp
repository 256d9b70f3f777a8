// The set of ranges beside a model: an array that says of each number what is known of it.
#include "pure/finished_ranges.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <random>
#include <vector>

using namespace pgpubsub;

namespace {

using r = finished_range;

constexpr int numbers = 40;
constexpr int lanes = 3;

struct known {
    int kind = -1;  // nothing
    std::uint64_t owner = 0;
    bool operator==(const known&) const = default;
};

known of(const r& range) { return {static_cast<int>(range.kind), range.owner}; }

struct set_beside_model {
    explicit set_beside_model(std::uint32_t capacity) : ranges(capacity), set(ranges.data(), &count, capacity) {}

    void add(r range) {
        set.add(range);
        for (auto at = range.from; at < range.to; ++at) {
            known& k = model[range.lane][at];
            if (range.kind == r::finished || k.kind == -1)
                k = of(range);
        }
    }
    void committed(std::uint64_t owner) {
        set.committed(owner);
        for_all([&](known& k) {
            if (k.kind > 0 && k.owner == owner)
                k = k.kind == r::removed ? known{r::finished, 0} : known{};
        });
    }
    void forget(std::uint64_t owner) {
        set.forget(owner);
        for_all([&](known& k) {
            if (k.kind > 0 && k.owner == owner)
                k = {};
        });
    }
    void cut_out(int lane, std::int64_t at) {
        set.cut_out(lane, at);
        if (at >= 0 && at < numbers)
            model[lane][at] = {};
    }
    template <typename F>
    void for_all(F f) {
        for (auto& lane : model)
            for (known& k : lane)
                f(k);
    }
    known in_set(int lane, std::int64_t at) const {
        const r* const range = set.at_or_behind(lane, at);
        return range != nullptr && range->from <= at ? of(*range) : known{};
    }
    bool is_sorted_and_joined() const {
        for (const r* i = set.begin(); i != set.end(); ++i) {
            if (i->from >= i->to || (i->kind == r::finished) != (i->owner == 0))
                return false;
            if (i == set.begin() || i[-1].lane < i->lane)
                continue;
            if (i[-1].lane > i->lane || i[-1].to > i->from || (i[-1].to == i->from && i[-1].is_as(*i)))
                return false;
        }
        return true;
    }

    std::vector<r> ranges;
    std::uint32_t count = 0;
    finished_ranges set;
    std::array<std::array<known, numbers>, lanes> model{};
};

r random_range(std::mt19937& random) {
    const auto below = [&](int n) { return static_cast<int>(random() % n); };
    const std::int64_t from = below(numbers);
    const std::int64_t to = std::min<std::int64_t>(numbers, from + 1 + below(8));
    const int kind = below(3);
    return {from,
            to,
            kind == r::finished ? 0u : 1u + below(4),
            below(lanes),
            static_cast<std::uint32_t>(to - from),
            static_cast<std::uint32_t>(kind)};
}

}  // namespace

TEST_CASE("a set with enough room knows what it was told") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random(seed);
        set_beside_model s(lanes * numbers + 2);
        for (int step = 0; step < 60; ++step) {
            const auto what = random() % 13;
            if (what >= 10)
                s.cut_out(static_cast<int>(random() % lanes), static_cast<int>(random() % numbers));
            else if (what < 8)
                s.add(random_range(random));
            else if (what == 8)
                s.committed(1 + random() % 4);
            else
                s.forget(1 + random() % 4);
            REQUIRE_MESSAGE(s.is_sorted_and_joined(), "seed " << seed << ", step " << step);
            for (int lane = 0; lane < lanes; ++lane)
                for (int at = 0; at < numbers; ++at)
                    REQUIRE_MESSAGE(s.in_set(lane, at) == s.model[lane][at],
                                    "seed " << seed << ", step " << step << ", " << lane << ", " << at);
        }
    }
}

TEST_CASE("a set that is full knows nothing that it was not told") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random(seed);
        set_beside_model s(6);
        std::array<std::array<bool, numbers>, lanes> ever{};
        for (int step = 0; step < 60; ++step) {
            const r range = random_range(random);
            if (random() % 4 == 0) {
                s.set.cut_out(range.lane, range.from);
                REQUIRE(s.in_set(range.lane, range.from).kind == -1);
            } else {
                s.set.add(range);
                for (auto at = range.from; at < range.to; ++at)
                    ever[range.lane][at] = true;
            }
            REQUIRE(s.count <= 6);
            REQUIRE(s.is_sorted_and_joined());
            for (int lane = 0; lane < lanes; ++lane)
                for (int at = 0; at < numbers; ++at)
                    REQUIRE((s.in_set(lane, at).kind == -1 || ever[lane][at]));
        }
    }
}

TEST_CASE("what falls into many pieces does not outgrow a set that is full") {
    for (unsigned capacity = 4; capacity <= 12; ++capacity) {
        set_beside_model s(capacity);
        for (unsigned i = 0; i < capacity; ++i)
            s.set.add({2 + 4 * static_cast<int>(i), 3 + 4 * static_cast<int>(i), i + 1, 1, 5, r::removed});
        s.set.add({0, 4 * static_cast<int>(capacity) + 4, 100, 1, 5, r::inserted});
        CHECK(s.count <= capacity);
    }
}

TEST_CASE("one number is cut out of what has no end") {
    set_beside_model s(3);
    s.set.add({INT64_MIN, INT64_MAX, 0, 1, 5, r::finished});
    s.set.cut_out(1, 7);
    CHECK(s.in_set(1, 6).kind == r::finished);
    CHECK(s.in_set(1, 7).kind == -1);
    CHECK(s.in_set(1, 8).kind == r::finished);
    s.set.cut_out(1, INT64_MIN);
    CHECK(s.count == 2);
    s.set.cut_out(0, 8);
    s.set.cut_out(2, 8);
    CHECK(s.in_set(1, 8).kind == r::finished);
}

TEST_CASE("what saves the least is forgotten first") {
    set_beside_model s(4);
    s.set.add({0, 5, 0, 1, 500, r::finished});
    s.set.add({10, 12, 0, 1, 2, r::finished});
    s.set.add({20, 25, 0, 1, 50, r::finished});
    s.set.add({30, 35, 0, 1, 51, r::finished});
    CHECK(s.in_set(1, 0).kind == r::finished);
    CHECK(s.in_set(1, 10).kind == -1);
    CHECK(s.in_set(1, 34).kind == r::finished);
}

TEST_CASE("a lane is forgotten by itself") {
    set_beside_model s(8);
    s.set.add({0, 5, 0, 1, 5, r::finished});
    s.set.add({0, 5, 7, 2, 5, r::removed});
    s.set.forget_lane(1);
    CHECK(s.in_set(1, 0).kind == -1);
    CHECK(s.in_set(2, 0).kind == r::removed);
}

TEST_CASE("the next range behind a place is found, in the same lane only") {
    set_beside_model s(8);
    s.set.add({10, 20, 0, 1, 5, r::finished});
    REQUIRE(s.set.at_or_behind(1, 3) != nullptr);
    CHECK(s.set.at_or_behind(1, 3)->from == 10);
    CHECK(s.set.at_or_behind(1, 20) == nullptr);
    CHECK(s.set.at_or_behind(0, 3) == nullptr);
}
