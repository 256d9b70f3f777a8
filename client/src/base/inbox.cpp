// Guarantees that a byte posted before the owner's last read() is seen by it, or makes poll() return.

#include "base/inbox.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace pgpubsub::inline v0 {

namespace {

constexpr char wake_byte = 'w';
constexpr char stop_byte = 's';

}  // namespace

inbox::inbox() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        throw std::system_error(errno, std::generic_category(), "could not make a pipe");
    read_end_ = ends[0];
    write_end_ = ends[1];
}

inbox::~inbox() {
    ::close(read_end_);
    ::close(write_end_);
}

// The flag comes second: were it first, a read() between the two would take it down and leave the byte behind unseen.
void inbox::post(char byte) noexcept {
    const int saved = errno;
    while (::write(write_end_, &byte, 1) < 0 && errno == EINTR) {}
    errno = saved;  // a full pipe is as good: the owner has not read for 65,536 stops
    posted_ = true;
}

void inbox::post_stop() noexcept { post(stop_byte); }

void inbox::post_wake() noexcept {
    if (!wake_posted_.exchange(true))
        post(wake_byte);
}

void inbox::read() noexcept {
    posted_ = false;
    char bytes[64];
    for (;;) {
        const auto count = ::read(read_end_, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        for (ssize_t i = 0; i < count; ++i)
            stops_ += bytes[i] == stop_byte;
    }
    // Only now: what is posted from here on writes a byte again. What the wake-up was about is looked at
    // by the caller after this, so nothing can slip through between.
    wake_posted_ = false;
}

}  // namespace pgpubsub::inline v0
