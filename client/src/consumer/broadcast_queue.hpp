// The broadcasts that have arrived and wait for their handler. The listener's thread puts them in, the loop's thread
// takes them out. The queue is bounded, because the listener must never stop reading: an unread NOTIFY would fill up
// the server's queue. Broadcasts may be missing because a connection was lost, or because they were dropped for lack of
// room. The next entry that comes out reports what is missing before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace pgpubsub::inline v0 {

class broadcast_queue {
public:
    struct entry {
        std::size_t handler = 0;   // the broadcast handler of the consumer that gets it
        std::string text;          // as it arrived
        std::uint64_t number = 0;  // set by push(): number of earlier entries
        bool is_gap = false;       // not a broadcast: the connection was lost here, for all handlers
    };

    // The next entry, and what is missing before it.
    struct next {
        entry what;
        bool after_gap = false;                        // gaps were among the dropped entries
        std::map<std::size_t, std::uint64_t> dropped;  // number of dropped ones, by handler
    };

    explicit broadcast_queue(std::size_t byte_limit = 64 * 1024 * 1024) : byte_limit_(byte_limit) {}

    // Makes room by dropping the oldest ones.
    void push(entry e) {
        const std::scoped_lock lock(mutex_);
        bytes_ += size_of(e);
        e.number = arrived_++;
        entries_.push_back(std::move(e));
        while (bytes_ > byte_limit_ && entries_.size() > 1) {
            const auto& oldest = entries_.front();
            if (oldest.is_gap)
                dropped_gap_ = true;
            else
                ++dropped_[oldest.handler];
            bytes_ -= size_of(oldest);
            entries_.pop_front();
        }
    }

    // Notes that broadcasts may be missing between the earlier entries and the later ones.
    void push_gap() { push({.text = {}, .is_gap = true}); }

    // Returns how many entries have arrived so far.
    std::uint64_t arrived() const {
        const std::scoped_lock lock(mutex_);
        return arrived_;
    }

    // Returns the oldest entry, if it is among the first `of_the_first` that have arrived.
    std::optional<next> pop(std::uint64_t of_the_first) {
        const std::scoped_lock lock(mutex_);
        if (entries_.empty() || entries_.front().number >= of_the_first)
            return std::nullopt;
        bytes_ -= size_of(entries_.front());
        next n{.what = std::move(entries_.front()),
               .after_gap = std::exchange(dropped_gap_, false),
               .dropped = std::exchange(dropped_, {})};
        entries_.pop_front();
        return n;
    }

    bool empty() const {
        const std::scoped_lock lock(mutex_);
        return entries_.empty();
    }

private:
    static std::size_t size_of(const entry& e) { return sizeof(entry) + e.text.size(); }

    const std::size_t byte_limit_;
    mutable std::mutex mutex_;
    std::deque<entry> entries_;
    std::size_t bytes_ = 0;
    std::uint64_t arrived_ = 0;
    std::map<std::size_t, std::uint64_t> dropped_;  // since the last pop()
    bool dropped_gap_ = false;
};

}  // namespace pgpubsub::inline v0
