#include "exec/first_process.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "output/report.hpp"

namespace pgpubsub::cli {

int run_below_first_process(const std::function<int()>& work) {
    sigset_t signals, former;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD})
        sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, &former);
    struct sigaction action {};  // an inherited "ignore" would keep SIGCHLD from coming
    action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, nullptr);
    const pid_t child = ::fork();
    if (child < 0)
        throw std::system_error(errno, std::generic_category(), "could not start a process");
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &former, nullptr);
        const int status = work();
        flush_messages(std::chrono::seconds(1));
        ::_exit(status);
    }
    for (;;) {
        const int signal = sigwaitinfo(&signals, nullptr);
        int status = 0;
        for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
            if (pid == child)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (signal > 0 && signal != SIGCHLD)
            ::kill(child, signal);
    }
}

}  // namespace pgpubsub::cli
