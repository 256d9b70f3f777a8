// The lanes in which publishers have lately stored rows, as they report it. Walks that find out which lanes have
// nothing left need that (place.hpp, 5). Pure: no PostgreSQL header, tested by test/unit/reported_lanes.cpp.
//
// Each report has a number, higher than all before it. A walk notes the last number when it begins. Its finding about a
// lane counts if no report about that lane came since. The set keeps `capacity` lanes. If more lanes were reported
// during a walk, none of its findings counts.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pgpubsub {

class reported_lanes {
public:
    // Begins to keep all reports. 0 is no number.
    void begin(std::uint64_t number) { *this = {.since_ = number, .lanes_ = {}}; }
    bool has_begun() const { return since_ != 0; }
    // Returns whether the set still has every report after that number.
    bool has_all_after(std::uint64_t number) const { return has_begun() && since_ <= number; }

    void add(std::int32_t lane, std::uint64_t number) {
        report* place = std::find_if(lanes_, lanes_ + capacity,
                                     [lane](const report& t) { return t.number != 0 && t.lane == lane; });
        if (place == lanes_ + capacity) {
            place = std::min_element(lanes_, lanes_ + capacity,
                                     [](const report& a, const report& b) { return a.number < b.number; });
            since_ = std::max(since_, place->number);
        }
        *place = {number, lane};
    }

    // Calls f(lane) for each lane that was reported after that number.
    template <typename F>
    void for_each_after(std::uint64_t number, F f) const {
        for (const report& t : lanes_)
            if (t.number > number)
                f(t.lane);
    }

    static constexpr int capacity = 16;

    struct report {
        std::uint64_t number;  // 0: none
        std::int32_t lane;
    };
    std::uint64_t since_;  // 0: nothing is kept
    report lanes_[capacity];
};

}  // namespace pgpubsub
