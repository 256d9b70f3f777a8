// What was reported of lanes, beside a model that keeps it all.
#include "pure/reported_lanes.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <random>
#include <set>

using namespace pgpubsub;

TEST_CASE("nothing is known before it was wanted") {
    reported_lanes reports{};
    CHECK(!reports.has_begun());
    CHECK(!reports.has_all_after(0));
    CHECK(!reports.has_all_after(100));
    reports.begin(7);
    CHECK(reports.has_begun());
    CHECK(!reports.has_all_after(6));
    CHECK(reports.has_all_after(7));
}

TEST_CASE("every lane that was reported is in the answer, if there is one") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random(seed);
        reported_lanes reports{};
        reports.begin(1);
        std::map<std::int32_t, std::uint64_t> last;
        const int lanes = 1 + static_cast<int>(random() % (2 * reported_lanes::capacity));
        for (std::uint64_t number = 2; number < 100; ++number) {
            const auto lane = static_cast<std::int32_t>(random() % lanes) - 5;
            reports.add(lane, number);
            last[lane] = number;
            for (std::uint64_t begun = 1; begun <= number; ++begun) {
                std::set<std::int32_t> since;
                for (const auto& [l, n] : last)
                    if (n > begun)
                        since.insert(l);
                std::set<std::int32_t> answered;
                reports.for_each_after(begun, [&](std::int32_t l) { answered.insert(l); });
                if (reports.has_all_after(begun))
                    REQUIRE(answered == since);
                else
                    REQUIRE(since.size() > reported_lanes::capacity);
            }
        }
    }
}
