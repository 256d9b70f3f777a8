// How other threads and signal handlers reach a thread that sleeps in poll(): a pipe, into which they
// write one byte. post_stop() and post_wake() never block and are safe in a signal handler; everything
// else belongs to the thread that owns the inbox.
#pragma once

#include <atomic>

namespace pgpubsub::inline v0 {

class inbox {
public:
    inbox();
    ~inbox();
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;

    void post_stop() noexcept;
    void post_wake() noexcept;

    int fd() const noexcept { return read_end_; }      // readable when something was posted
    int write_fd() const noexcept { return write_end_; }  // for signal handlers: write stop_byte
    void read() noexcept;                               // takes what was posted, without waiting
    int stops() const noexcept { return stops_; }       // how often a stop was posted so far
    void forget_stops() noexcept { stops_ = 0; }

    static constexpr char stop_byte = 's';

private:
    int read_end_ = -1;
    int write_end_ = -1;
    int stops_ = 0;
    std::atomic<bool> wake_posted_ = false;  // so that wake-ups can't fill the pipe and crowd out a stop
};

}  // namespace pgpubsub::inline v0
