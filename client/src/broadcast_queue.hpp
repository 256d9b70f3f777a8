// The broadcasts that have arrived and wait for their handler: put in by the listener's thread, taken out by the worker's.
// It is bounded, for the listener must never stop reading: an unread NOTIFY would fill up the server's queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace pgpubsub::inline v0 {

class broadcast_queue {
public:
    struct entry {
        std::size_t handler = 0;  // which of the consumer's broadcast handlers it is for
        std::string text;         // as it came
        std::uint64_t number = 0; // given by push(): how many came before it
    };

    explicit broadcast_queue(std::size_t byte_limit = 64 * 1024 * 1024) : byte_limit_(byte_limit) {}

    // Makes room by dropping the oldest ones.
    void push(entry e) {
        const std::scoped_lock lock(mutex_);
        bytes_ += size_of(e);
        e.number = arrived_++;
        entries_.push_back(std::move(e));
        for (; bytes_ > byte_limit_ && entries_.size() > 1; ++dropped_) {
            bytes_ -= size_of(entries_.front());
            entries_.pop_front();
        }
    }

    // How many have arrived so far.
    std::uint64_t arrived() const {
        const std::scoped_lock lock(mutex_);
        return arrived_;
    }

    // The oldest, if it is one of the first so many that have arrived.
    std::optional<entry> pop(std::uint64_t of_the_first) {
        const std::scoped_lock lock(mutex_);
        if (entries_.empty() || entries_.front().number >= of_the_first) return std::nullopt;
        entry e = std::move(entries_.front());
        entries_.pop_front();
        bytes_ -= size_of(e);
        return e;
    }

    bool empty() const {
        const std::scoped_lock lock(mutex_);
        return entries_.empty();
    }

    // How many were dropped since the last call.
    std::uint64_t take_dropped() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(dropped_, 0);
    }

private:
    static std::size_t size_of(const entry& e) { return sizeof(entry) + e.text.size(); }

    const std::size_t byte_limit_;
    mutable std::mutex mutex_;
    std::deque<entry> entries_;
    std::size_t bytes_ = 0;
    std::uint64_t arrived_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace pgpubsub::inline v0
