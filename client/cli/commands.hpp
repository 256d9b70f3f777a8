// The subcommands, with what their command lines say.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace pgpubsub::cli {

struct listen_settings {
    std::string dsn;
    std::vector<std::string> channels;
    std::optional<std::string> command;  // --exec
    std::string mode;                    // transactional, leased; empty: by --exec
    std::optional<int> batch;
    std::optional<std::chrono::milliseconds> lease;
    std::optional<std::chrono::milliseconds> poll_interval;
    std::optional<std::chrono::milliseconds> retry_delay;
    std::optional<std::chrono::milliseconds> give_up_after;
    std::optional<std::chrono::milliseconds> stop_timeout;
    std::optional<int> processes;
    bool recover = false;
    bool drain = false;
    bool verbose = false;
};

struct publish_settings {
    std::string dsn;
    std::string channel;
    std::optional<std::string> payload;  // "-" and nothing: stdin
    std::optional<std::string> key;
    std::optional<std::string> headers;
    std::optional<std::string> deliver_at;
    int priority = 0;
};

// Both return the exit status, and throw pgpubsub::error.
int listen(const listen_settings& settings);
int publish(const publish_settings& settings);

}  // namespace pgpubsub::cli
