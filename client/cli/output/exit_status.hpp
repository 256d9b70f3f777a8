// The exit statuses of the program, and what a child's wait status means. Pure.
#pragma once

#include <sys/wait.h>

#include <cstring>
#include <string>

namespace pgpubsub::cli {

enum exit_status : int {
    success = 0,
    failure = 1,     // at run time
    usage = 2,       // the command line
    unfinished = 3,  // between a worker and its parent only: drained, and some notifications failed
    lacking = 4,     // between them too: without descriptors, processes or memory; a new worker may have some
};

// What an --exec command exits with to say that no other attempt makes sense: EX_DATAERR of sysexits.h.
inline constexpr int reject_status = 65;

// What a shell exits with when there is no such command, or it can't be run. Whatever the notification is, that is not
// its fault.
inline bool is_not_run(int wait_status) {
    return WIFEXITED(wait_status) && (WEXITSTATUS(wait_status) == 126 || WEXITSTATUS(wait_status) == 127);
}

inline bool is_rejection(int wait_status) {
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == reject_status;
}

// What the supervisor does about a worker that has ended while nobody asked it to.
enum class verdict {
    finished,  // it did what it was there for (--drain)
    replace,   // it died
    give_up,   // it says that going on makes no sense, and has said why
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

// "exited with status 3", "was killed by signal 9 (Killed)".
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
