// The two processes are joined by a pipe, whose end tells the guardian that this process is gone. The guardian has a
// process group of its own, and another name than the program: signals sent to the consumer's group or name don't reach
// it.

#include "exec/guardian.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace pgpubsub::cli {

namespace {

[[noreturn]] void watch(int pipe) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_NAME, "exec-guard");
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        ::signal(signal, SIG_IGN);
    // A program that reads our output, or another descriptor that we inherited, must not have to wait for the guardian.
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(pipe, STDIN_FILENO);
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
        ::dup2(null, fd);
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    for (pid_t group = 0, next = 0;;) {
        const auto count = ::read(STDIN_FILENO, &next, sizeof next);
        if (count == sizeof next) {
            group = next;
        } else if (count >= 0 || errno != EINTR) {
            if (group > 0)
                ::kill(-group, SIGKILL);
            ::_exit(0);
        }
    }
}

}  // namespace

guardian::guardian() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "could not make a pipe");
    process_ = ::fork();
    if (process_ == 0) {
        ::close(ends[1]);
        watch(ends[0]);
    }
    const int problem = errno;
    ::close(ends[0]);
    write_end_ = ends[1];
    if (process_ < 0) {
        ::close(write_end_);
        throw std::system_error(problem, std::generic_category(), "could not start a process to guard the commands");
    }
}

guardian::~guardian() {
    ::close(write_end_);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {}
}

void guardian::guards(pid_t group) const noexcept {
    [[maybe_unused]] const auto written = ::write(write_end_, &group, sizeof group);
}

}  // namespace pgpubsub::cli
