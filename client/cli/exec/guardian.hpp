// Makes sure that no command outlives the process that runs it.
#pragma once

#include <sys/types.h>

namespace pgpubsub::cli {

// A tiny process beside this one. It sleeps until this process has ended, for whatever reason, and then kills the
// process group of the command that was in hand. Made before there is any thread or connection.
class guardian {
public:
    guardian();  // throws std::system_error
    ~guardian();
    guardian(const guardian&) = delete;
    guardian& operator=(const guardian&) = delete;

    // Sets the group in hand from now on; 0: none. Safe between fork and exec. The command itself calls it there, so
    // that there is no moment in which the command runs unknown to the guardian.
    void guards(pid_t group) const noexcept;

private:
    int write_end_ = -1;
    pid_t process_ = 0;
};

}  // namespace pgpubsub::cli
