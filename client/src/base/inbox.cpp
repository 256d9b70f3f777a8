// Guarantees that the owner sees a byte that was posted before its last read(), or that the byte makes poll() return.

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

// The flag is set second: if it were first, a read() between the two steps would clear it and leave the byte behind
// unseen.
void inbox::post(char byte) noexcept {
    const int saved = errno;
    while (::write(write_end_, &byte, 1) < 0 && errno == EINTR) {}
    errno = saved;  // a full pipe suffices: the owner has not read for 65,536 stops
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
    // Only now: later posts write a byte again. The caller looks at the cause of the wake-up after this, so no wake-up
    // is lost in between.
    wake_posted_ = false;
}

}  // namespace pgpubsub::inline v0
