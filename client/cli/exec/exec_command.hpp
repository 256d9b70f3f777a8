// Runs the --exec command for one notification.
#pragma once

#include <functional>
#include <string>
#include <system_error>

#include <pgpubsub/notification.hpp>

#include "exec/guardian.hpp"

namespace pgpubsub::cli {

struct command_outcome {
    int wait_status = 0;
    std::string stderr_tail;  // the last 8 kB of what it wrote to stderr
};

// Runs `/bin/sh -c command`. A command that means the same without a shell runs without it (plain_command.hpp). The
// command gets
// - on stdin: the line and a newline;
// - in its environment: PGPUBSUB_ID, PGPUBSUB_CHANNEL, PGPUBSUB_ATTEMPTS, PGPUBSUB_IDEMPOTENCY_KEY and PGPUBSUB_KEY (if
//   there is a key). PGPUBSUB_KEY_OMITTED=1 replaces a key that is too long for an environment.
//
// Its stdout is ours; its stderr goes to ours and is remembered. When `should_end` returns true, the command and the
// processes that it started get a SIGTERM, and those that still exist a second later a SIGKILL. If this process dies
// meanwhile, the guardian kills them. Throws std::system_error if the command can't be started: see is_passing().
command_outcome run_command(const std::string& command, const notification& n, const std::string& line,
                            const guardian& guard, const std::function<bool()>& should_end);

// Returns whether the reason why a command can't be started may be over at the next attempt (too many processes, no
// memory). Any other reason would keep every command from being started.
bool is_passing(const std::error_code& problem);

// Returns the text that a failed command leaves as last_error: how it ended, and the end of its stderr, both within the
// 8 kB that are stored.
std::string failure_text(const command_outcome& outcome);

}  // namespace pgpubsub::cli
