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

// Runs `/bin/sh -c command`, or without a shell a command that means the same so (plain_command.hpp), with the line and
// a newline on its stdin, and PGPUBSUB_ID, PGPUBSUB_CHANNEL, PGPUBSUB_ATTEMPTS, PGPUBSUB_IDEMPOTENCY_KEY and
// PGPUBSUB_KEY (if there is one) in its environment; PGPUBSUB_KEY_OMITTED=1 instead of a key that is too long for an
// environment. Its stdout is ours; its stderr goes to ours and is remembered. When `should_end` says so, the command
// and what it started get a SIGTERM, and what is still there a second later a SIGKILL. If this process dies meanwhile,
// the guardian kills them. Throws std::system_error when it can't be started: see is_passing().
command_outcome run_command(const std::string& command, const notification& n, const std::string& line,
                            const guardian& guard, const std::function<bool()>& should_end);

// Whether what kept a command from being started may be over when it is tried again (too many processes, no memory);
// anything else would keep every command from being started.
bool is_passing(const std::error_code& problem);

// The text that a failed command leaves as last_error: how it ended, and the end of what it wrote to stderr, both
// within the 8 kB that are stored.
std::string failure_text(const command_outcome& outcome);

}  // namespace pgpubsub::cli
