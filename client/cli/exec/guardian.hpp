// Sees to it that no command outlives the process that runs it.
#pragma once

#include <sys/types.h>

namespace pgpubsub::cli {

// A tiny process beside this one. It sleeps until this one has ended, however that came, and kills the process
// group of the command that was in hand then. Made before there is any thread or connection.
class guardian {
public:
    guardian();  // throws std::system_error
    ~guardian();
    guardian(const guardian&) = delete;
    guardian& operator=(const guardian&) = delete;

    // The group in hand from now on; 0: none. Safe between fork and exec, and called there by the command itself,
    // so that there is no moment in which it runs unknown.
    void guards(pid_t group) const noexcept;

private:
    int write_end_ = -1;
    pid_t process_ = 0;
};

}  // namespace pgpubsub::cli
