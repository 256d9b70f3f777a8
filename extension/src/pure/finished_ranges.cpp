// Guarantee: ranges of one set do not overlap. Two ranges of the same kind and owner that touch become one.
#include "pure/finished_ranges.hpp"

#include <algorithm>
#include <cstring>

namespace pgpubsub {
namespace {

constexpr std::uint32_t most_entries = (1u << 30) - 1;

std::uint32_t sum(std::uint32_t a, std::uint32_t b) { return std::min(a + b, most_entries); }

bool ends_before(const finished_range& r, std::int32_t lane, std::int64_t at) {
    return r.lane != lane ? r.lane < lane : r.to <= at;
}

}  // namespace

std::uint32_t finished_ranges::first_behind(std::int32_t lane, std::int64_t at) const {
    return static_cast<std::uint32_t>(
        std::partition_point(ranges_, ranges_ + *count_,
                             [&](const finished_range& r) { return ends_before(r, lane, at); }) -
        ranges_);
}

const finished_range* finished_ranges::at_or_behind(std::int32_t lane, std::int64_t at) const {
    const std::uint32_t i = first_behind(lane, at);
    return i < *count_ && ranges_[i].lane == lane ? &ranges_[i] : nullptr;
}

void finished_ranges::insert(std::uint32_t i, const finished_range& range) {
    std::memmove(ranges_ + i + 1, ranges_ + i, (*count_ - i) * sizeof(finished_range));
    ranges_[i] = range;
    ++*count_;
}

void finished_ranges::erase(std::uint32_t i) {
    --*count_;
    std::memmove(ranges_ + i, ranges_ + i + 1, (*count_ - i) * sizeof(finished_range));
}

void finished_ranges::make_room(std::uint32_t places) {
    while (*count_ + places > capacity_) {
        const auto* const least = std::min_element(
            begin(), end(), [](const finished_range& a, const finished_range& b) { return a.entries < b.entries; });
        erase(static_cast<std::uint32_t>(least - ranges_));
    }
}

// Puts a range into a gap of the set, and joins it with its neighbours.
void finished_ranges::put(finished_range range) {
    if (range.from >= range.to)
        return;
    std::uint32_t i = first_behind(range.lane, range.from);
    if (i > 0) {
        const finished_range& before = ranges_[i - 1];
        if (before.lane == range.lane && before.to == range.from && before.is_as(range)) {
            range.from = before.from;
            range.entries = sum(range.entries, before.entries);
            erase(--i);
        }
    }
    if (i < *count_) {
        const finished_range& behind = ranges_[i];
        if (behind.lane == range.lane && behind.from == range.to && behind.is_as(range)) {
            range.to = behind.to;
            range.entries = sum(range.entries, behind.entries);
            erase(i);
        }
    }
    insert(i, range);
}

// Replaces the parts of other ranges that the new range covers. A range that reaches beyond both ends of the new one
// becomes two.
void finished_ranges::add_finished(finished_range range) {
    std::uint32_t i = first_behind(range.lane, range.from);
    while (i < *count_ && ranges_[i].lane == range.lane && ranges_[i].from < range.to) {
        finished_range& other = ranges_[i];
        if (other.kind == finished_range::finished) {
            range.from = std::min(range.from, other.from);
            range.to = std::max(range.to, other.to);
            range.entries = sum(range.entries, other.entries);
            erase(i);
        } else if (other.from < range.from && other.to > range.to) {
            finished_range rest = other;
            rest.from = range.to;
            other.to = range.from;
            insert(i + 1, rest);
            ++i;
        } else if (other.from < range.from) {
            other.to = range.from;
            ++i;
        } else if (other.to > range.to) {
            other.from = range.to;
        } else {
            erase(i);
        }
    }
    put(range);
}

// Adds the parts of the range about which nothing is known yet.
void finished_ranges::add_open(finished_range range) {
    for (;;) {
        const finished_range* const other = at_or_behind(range.lane, range.from);
        if (other == nullptr || other->from >= range.to) {
            make_room(1);  // each piece before it has taken room
            put(range);
            return;
        }
        finished_range piece = range;
        piece.to = other->from;
        range.from = other->to;
        if (piece.from < piece.to) {
            make_room(1);
            put(piece);
            range.entries = 1;
        }
        if (range.from >= range.to)
            return;
    }
}

void finished_ranges::add(finished_range range) {
    if (range.from >= range.to)
        return;
    make_room(2);
    if (range.kind == finished_range::finished)
        add_finished(range);
    else
        add_open(range);
}

void finished_ranges::committed(std::uint64_t owner) {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < *count_; ++i) {
        finished_range range = ranges_[i];
        if (range.kind != finished_range::finished && range.owner == owner) {
            if (range.kind != finished_range::removed)
                continue;
            range.kind = finished_range::finished;
            range.owner = 0;
        }
        finished_range* const before = kept > 0 ? &ranges_[kept - 1] : nullptr;
        if (before != nullptr && before->lane == range.lane && before->to == range.from && before->is_as(range)) {
            before->to = range.to;
            before->entries = sum(before->entries, range.entries);
        } else {
            ranges_[kept++] = range;
        }
    }
    *count_ = kept;
}

void finished_ranges::forget(std::uint64_t owner) {
    *count_ =
        static_cast<std::uint32_t>(std::remove_if(ranges_, ranges_ + *count_,
                                                  [=](const finished_range& r) {
                                                      return r.owner == owner && r.kind != finished_range::finished;
                                                  }) -
                                   ranges_);
}

void finished_ranges::forget_lane(std::int32_t lane) {
    *count_ = static_cast<std::uint32_t>(
        std::remove_if(ranges_, ranges_ + *count_, [=](const finished_range& r) { return r.lane == lane; }) - ranges_);
}

// When there is no room for a second piece, the part behind the number is forgotten too.
void finished_ranges::cut_out(std::int32_t lane, std::int64_t at) {
    const std::uint32_t i = first_behind(lane, at);
    if (i == *count_ || ranges_[i].lane != lane || ranges_[i].from > at)
        return;
    finished_range rest = ranges_[i];
    rest.from = at + 1;
    ranges_[i].to = at;
    if (rest.from < rest.to && ranges_[i].from < at && *count_ < capacity_)
        insert(i + 1, rest);
    else if (rest.from < rest.to && ranges_[i].from == at)
        ranges_[i] = rest;
    if (ranges_[i].from == ranges_[i].to)
        erase(i);
}

}  // namespace pgpubsub
