// The way by which other threads and signal handlers reach a thread that sleeps in poll(): a pipe, into which they
// write one byte. post_stop() and post_wake() never block and are safe in a signal handler. All other functions are
// only for the thread that owns the inbox.
#pragma once

#include <atomic>

namespace pgpubsub::inline v0 {

// Thrown out of a wait if the owner of the inbox was meanwhile asked to stop.
struct interrupted {};

class inbox {
public:
    inbox();
    ~inbox();
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;

    void post_stop() noexcept;
    void post_wake() noexcept;

    int fd() const noexcept { return read_end_; }  // readable if something was posted
    void read() noexcept;                          // takes the posted bytes, without waiting
    // Returns whether a read() is worth it; costs no system call. A byte posted this instant may be seen only by the
    // next call; poll() misses nothing.
    bool has_post() const noexcept { return posted_; }
    int stops() const noexcept { return stops_; }  // number of stops posted so far
    void forget_stops() noexcept { stops_ = 0; }

private:
    void post(char byte) noexcept;

    int read_end_ = -1;
    int write_end_ = -1;
    int stops_ = 0;
    std::atomic<bool> posted_ = false;                      // since the last read()
    std::atomic<bool> wake_posted_ = false;                 // so that wake-ups can't fill the pipe and crowd out a stop
    static_assert(std::atomic<bool>::is_always_lock_free);  // for signal handlers
};

}  // namespace pgpubsub::inline v0
