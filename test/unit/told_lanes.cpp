// What was told of lanes, beside a model that keeps it all.
#include "pure/told_lanes.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <random>
#include <set>

using namespace pgpubsub;

TEST_CASE("nothing is known before it was wanted") {
    told_lanes told{};
    CHECK(!told.has_begun());
    CHECK(!told.has_all_after(0));
    CHECK(!told.has_all_after(100));
    told.begin(7);
    CHECK(told.has_begun());
    CHECK(!told.has_all_after(6));
    CHECK(told.has_all_after(7));
}

TEST_CASE("who is answered at all is told of each lane") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random(seed);
        told_lanes told{};
        told.begin(1);
        std::map<std::int32_t, std::uint64_t> last;
        const int lanes = 1 + static_cast<int>(random() % (2 * told_lanes::capacity));
        for (std::uint64_t number = 2; number < 100; ++number) {
            const auto lane = static_cast<std::int32_t>(random() % lanes) - 5;
            told.add(lane, number);
            last[lane] = number;
            for (std::uint64_t begun = 1; begun <= number; ++begun) {
                std::set<std::int32_t> since;
                for (const auto& [l, n] : last)
                    if (n > begun)
                        since.insert(l);
                std::set<std::int32_t> answered;
                told.for_each_after(begun, [&](std::int32_t l) { answered.insert(l); });
                if (told.has_all_after(begun))
                    REQUIRE(answered == since);
                else
                    REQUIRE(since.size() > told_lanes::capacity);
            }
        }
    }
}
