// In which lanes rows were stored lately, as publishers tell it, for walks that are to find out which lanes have
// nothing left (place.hpp, 5). Pure: no PostgreSQL header, tested by test/unit/told_lanes.cpp.
//
// Whatever is told gets a number, each a higher one. A walk notes the last number when it begins. What it has found of
// a lane counts if nothing was told of that lane since. So many lanes are kept as one walk may be told of; where it was
// more, nothing counts.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pgpubsub {

class told_lanes {
public:
    // From now on all is kept. 0 is no number.
    void begin(std::uint64_t number) { *this = {.since_ = number, .lanes_ = {}}; }
    bool has_begun() const { return since_ != 0; }
    // Whether all that was told after that number is here.
    bool has_all_after(std::uint64_t number) const { return has_begun() && since_ <= number; }

    void add(std::int32_t lane, std::uint64_t number) {
        told* place =
            std::find_if(lanes_, lanes_ + capacity, [lane](const told& t) { return t.number != 0 && t.lane == lane; });
        if (place == lanes_ + capacity) {
            place = std::min_element(lanes_, lanes_ + capacity,
                                     [](const told& a, const told& b) { return a.number < b.number; });
            since_ = std::max(since_, place->number);
        }
        *place = {number, lane};
    }

    // Calls f(lane) for each that was told of after that number.
    template <typename F>
    void for_each_after(std::uint64_t number, F f) const {
        for (const told& t : lanes_)
            if (t.number > number)
                f(t.lane);
    }

    static constexpr int capacity = 16;

    struct told {
        std::uint64_t number;  // 0: none
        std::int32_t lane;
    };
    std::uint64_t since_;  // 0: nothing is kept
    told lanes_[capacity];
};

}  // namespace pgpubsub
