// Guarantees that write_some() does not wait for a reader. For that, a pipe or a terminal is opened a second time,
// because O_NONBLOCK on the inherited descriptor would hold for every process that has it. If the second opening is
// impossible (no /proc, another user's terminal), poll() reports when there is room, and pieces that fit are written.

#include "output/output.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include <pgpubsub/error.hpp>

#include "output/exit_status.hpp"

namespace pgpubsub::cli {

void open_standard_descriptors() {
    constexpr int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};  // the wrong way round, so that using them fails
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) >= 0)
            continue;
        if (::open("/dev/null", modes[fd]) == fd)
            continue;  // open() returns the lowest free number
        constexpr std::string_view problem =
            "pgpubsub: stdin, stdout or stderr is closed, and /dev/null can't be opened\n";
        [[maybe_unused]] const auto told = ::write(STDERR_FILENO, problem.data(), problem.size());
        ::_exit(failure);
    }
}

output::output(int fd) : fd_(fd), kind_(kind::plain) {
    struct stat what {};
    if (::fstat(fd, &what) != 0)
        return;
    if (S_ISSOCK(what.st_mode))
        kind_ = kind::socket;
    if (S_ISFIFO(what.st_mode) || (S_ISCHR(what.st_mode) && ::isatty(fd) != 0))
        kind_ = kind::pipe_or_terminal;
    if (kind_ == kind::pipe_or_terminal && (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
        own_ = ::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

output::~output() {
    if (own_ >= 0)
        ::close(own_);
}

ssize_t output::write_some(std::string_view text) noexcept {
    const auto once = [&]() -> ssize_t {
        if (kind_ == kind::socket)
            return ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (own_ >= 0)
            return ::write(own_, text.data(), text.size());
        if (kind_ == kind::plain)
            return ::write(fd_, text.data(), text.size());
        pollfd room{fd_, POLLOUT, 0};
        if (::poll(&room, 1, 0) == 0)
            return 0;
        return ::write(fd_, text.data(), text.size() < PIPE_BUF ? text.size() : PIPE_BUF);
    };
    for (;;) {
        const auto count = once();
        if (count >= 0)
            return count;
        if (errno == EINTR)
            continue;
        return errno == EAGAIN ? 0 : -1;
    }
}

void output::wait(std::chrono::milliseconds limit) const noexcept {
    pollfd room{own_ >= 0 ? own_ : fd_, POLLOUT, 0};
    ::poll(&room, 1, static_cast<int>(limit.count()));
}

void print(std::string_view text) {
    output out(STDOUT_FILENO);
    while (!text.empty()) {
        const auto count = out.write_some(text);
        if (count < 0 && errno == EPIPE)
            throw reader_is_gone();
        if (count < 0)
            throw error("could not write to stdout: " + std::string(std::strerror(errno)));
        if (count == 0)
            out.wait(std::chrono::seconds(1));
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

}  // namespace pgpubsub::cli
