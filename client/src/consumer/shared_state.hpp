// The state that the consumer loop's thread and the listener's thread share.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "consumer/broadcast_queue.hpp"

namespace pgpubsub::inline v0 {

// Whether there may be work: `with_others`: one of many consumers should look; `alone`: this consumer should.
enum class hinted { not_at_all, with_others, alone };

// The hints for the handlers of queue channels: set by the listener, taken by the loop.
class hint_board {
public:
    explicit hint_board(std::size_t handlers) : hints_(handlers) {}

    void set(std::size_t handler, hinted how) {
        auto before = hints_[handler].load();
        while (before < how && !hints_[handler].compare_exchange_weak(before, how)) {}
    }
    void set_all() {
        for (auto& hint : hints_)
            hint.store(hinted::alone);
    }
    hinted take(std::size_t handler) { return hints_[handler].exchange(hinted::not_at_all); }

private:
    std::vector<std::atomic<hinted>> hints_;
};

// The receipts of the work in hand: added and removed by the loop, extended by the listener.
class leases_in_hand {
public:
    void add(const std::string& receipt) {
        const std::scoped_lock lock(mutex_);
        receipts_.insert(receipt);
    }
    void remove(const std::string& receipt) {
        const std::scoped_lock lock(mutex_);
        receipts_.erase(receipt);
    }
    bool empty() const {
        const std::scoped_lock lock(mutex_);
        return receipts_.empty();
    }
    std::vector<std::string> list() const {
        const std::scoped_lock lock(mutex_);
        return {receipts_.begin(), receipts_.end()};
    }

private:
    mutable std::mutex mutex_;
    std::set<std::string> receipts_;
};

// Tells the loop that the listener gave up.
class failure_slot {
public:
    void set(std::exception_ptr failure) {
        const std::scoped_lock lock(mutex_);
        failure_ = std::move(failure);
    }
    void rethrow_if_set() const {
        const std::scoped_lock lock(mutex_);
        if (failure_)
            std::rethrow_exception(failure_);
    }

private:
    mutable std::mutex mutex_;
    std::exception_ptr failure_;
};

struct shared_state {
    explicit shared_state(std::size_t handlers) : hints(handlers) {}

    hint_board hints;
    broadcast_queue broadcasts;
    leases_in_hand leases;
    failure_slot listener_failure;
    std::atomic<unsigned long> sweeps = 0;  // number of times that the loop has drained all channels
    // Set when the working connection connects: its server process, and the identity of that server.
    std::atomic<int> worker_pid = 0;
    std::atomic<double> worker_server_started = 0;
    // Set by the listener; the loop obeys it at the wake-up that follows. That server does not answer any more.
    std::atomic<bool> worker_server_is_dead = false;
};

}  // namespace pgpubsub::inline v0
