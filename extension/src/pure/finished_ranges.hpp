// A sorted set of ranges in which a claim need not look. Pure: no PostgreSQL header, tested by
// test/unit/finished_ranges.cpp.
//
// A claim walks through *lanes* (place.hpp), each in the order of one number. A range is a part of a lane. It says what
// became of all rows that are stored there, or ever will be:
// - finished: no claim can get any of them;
// - removed: a transaction has removed what was left of them. If it commits, the range is finished; else nothing is
//   known about it;
// - inserted: a transaction has stored them. While it runs, no claim can get any of them; when it has ended, nothing is
//   known about the range.
//
// The set is a hint: to forget a range costs one walk. When the set is full, it forgets the range that saves the least.
#pragma once

#include <cstdint>

namespace pgpubsub {

struct finished_range {
    enum fate : std::uint8_t { finished, removed, inserted };

    std::int64_t from;
    std::int64_t to;      // exclusive
    std::uint64_t owner;  // the transaction; 0 if finished
    std::int32_t lane;
    std::uint32_t entries : 30;  // about as many index entries as a walk through the range would meet
    std::uint32_t kind : 2;      // fate

    bool is_as(const finished_range& other) const { return kind == other.kind && owner == other.owner; }
};

// The set works on an array and a count that belong to the caller.
class finished_ranges {
public:
    finished_ranges(finished_range* ranges, std::uint32_t* count, std::uint32_t capacity)
        : ranges_(ranges), count_(count), capacity_(capacity) {}

    std::uint32_t size() const { return *count_; }
    const finished_range* begin() const { return ranges_; }
    const finished_range* end() const { return ranges_ + *count_; }

    // Returns the first range that ends behind `at`: the range that contains `at`, or the next one. Null: the lane has
    // no such range.
    const finished_range* at_or_behind(std::int32_t lane, std::int64_t at) const;

    // Adds a range. Where the set knows something already, "finished" wins; between two others, the older range wins.
    void add(finished_range range);

    // Ends a transaction's ranges: committed() makes its removed ranges finished and forgets its other ones; forget()
    // forgets them all.
    void committed(std::uint64_t owner);
    void forget(std::uint64_t owner);
    void forget_lane(std::int32_t lane);
    // Forgets what is known about one number of a lane.
    void cut_out(std::int32_t lane, std::int64_t at);

private:
    std::uint32_t first_behind(std::int32_t lane, std::int64_t at) const;
    void insert(std::uint32_t i, const finished_range& range);
    void erase(std::uint32_t i);
    void make_room(std::uint32_t places);
    void add_finished(finished_range range);
    void add_open(finished_range range);
    void put(finished_range range);

    finished_range* ranges_;
    std::uint32_t* count_;
    std::uint32_t capacity_;
};

}  // namespace pgpubsub
