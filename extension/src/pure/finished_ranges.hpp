// A sorted set of ranges in which a claim need not look. Pure: no PostgreSQL header, tested by
// test/unit/finished_ranges.cpp.
//
// A claim walks through *lanes* (place.hpp), each in the order of one number. A range says of a part of a lane what
// became of all that is stored there, or ever will be:
// - finished: nothing of it can be claimed, whoever asks;
// - removed: it is finished if a transaction commits, which has removed what was left of it; else nothing is known;
// - inserted: nothing can be claimed while a transaction runs, which has stored what is there; when it has ended,
//   nothing is known.
//
// The set is a hint: to forget a range costs one walk. When it is full, the range that saves the least is forgotten.
#pragma once

#include <cstdint>

namespace pgpubsub {

struct finished_range {
    enum fate : std::uint8_t { finished, removed, inserted };

    std::int64_t from;
    std::int64_t to;      // behind it
    std::uint64_t owner;  // the transaction; 0 where it is finished
    std::int32_t lane;
    std::uint32_t entries : 30;  // of the index that a walk through it would meet, about
    std::uint32_t kind : 2;      // fate

    bool is_as(const finished_range& other) const { return kind == other.kind && owner == other.owner; }
};

// Over an array that belongs to somebody else, who also keeps the count.
class finished_ranges {
public:
    finished_ranges(finished_range* ranges, std::uint32_t* count, std::uint32_t capacity)
        : ranges_(ranges), count_(count), capacity_(capacity) {}

    std::uint32_t size() const { return *count_; }
    const finished_range* begin() const { return ranges_; }
    const finished_range* end() const { return ranges_ + *count_; }

    // The first range that ends behind `at`: it holds it, or is the next one. Null: there is none in the lane.
    const finished_range* at_or_behind(std::int32_t lane, std::int64_t at) const;

    // Of what is known already, the stronger holds: that it is finished; else the older.
    void add(finished_range range);

    // What became of a transaction: its ranges are finished, where they were to be, or forgotten.
    void committed(std::uint64_t owner);
    void forget(std::uint64_t owner);
    void forget_lane(std::int32_t lane);
    // Of one number of a lane nothing is known any more.
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
