// The exit statuses of the program, and the meaning of a child's wait status. Pure.
#pragma once

#include <sys/wait.h>

#include <cstring>
#include <string>

namespace pgpubsub::cli {

enum exit_status : int {
    success = 0,
    failure = 1,     // at run time
    usage = 2,       // the command line
    unfinished = 3,  // only between a worker and its parent: drained, and some notifications failed
    lacking = 4,     // likewise: no descriptors, processes or memory; a new worker may have some
};

// The exit status by which an --exec command says that no other attempt makes sense: EX_DATAERR of sysexits.h.
inline constexpr int reject_status = 65;

// Returns whether the status is that of a shell if there is no such command, or it can't be run. That is never the
// fault of the notification.
inline bool is_not_run(int wait_status) {
    return WIFEXITED(wait_status) && (WEXITSTATUS(wait_status) == 126 || WEXITSTATUS(wait_status) == 127);
}

inline bool is_rejection(int wait_status) {
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == reject_status;
}

// What the supervisor does about a worker that ended without being asked to.
enum class verdict {
    finished,  // it has done its task (--drain)
    replace,   // it died
    give_up,   // it reported that going on makes no sense, and why
};

inline verdict judge_worker(int wait_status, bool drain) {
    if (WIFEXITED(wait_status)) {
        if (WEXITSTATUS(wait_status) == success)
            return drain ? verdict::finished : verdict::replace;
        if (WEXITSTATUS(wait_status) == unfinished && drain)
            return verdict::finished;
        if (WEXITSTATUS(wait_status) == failure || WEXITSTATUS(wait_status) == usage)
            return verdict::give_up;
    }
    return verdict::replace;
}

// Returns "exited with status 3", "was killed by signal 9 (Killed)".
inline std::string describe_end(int wait_status) {
    if (WIFEXITED(wait_status))
        return "exited with status " + std::to_string(WEXITSTATUS(wait_status));
    if (WIFSIGNALED(wait_status)) {
        const int signal = WTERMSIG(wait_status);
        return "was killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
    }
    return "ended with wait status " + std::to_string(wait_status);
}

}  // namespace pgpubsub::cli
