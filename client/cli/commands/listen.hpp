// `pgpubsub listen`, with the settings of its command line.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace pgpubsub::cli {

struct listen_settings {
    std::string dsn = {};
    std::vector<std::string> channels = {};
    std::optional<std::string> subscription = {};  // of each channel
    std::optional<std::string> filter = {};
    std::optional<std::string> command = {};  // --exec
    std::string mode = {};                    // transactional, leased; empty: depends on --exec
    std::optional<int> batch = {};
    std::optional<int> limit = {};
    std::optional<std::chrono::milliseconds> lease = {};
    std::optional<std::chrono::milliseconds> poll_interval = {};
    std::optional<std::chrono::milliseconds> give_up_after = {};
    std::optional<std::chrono::milliseconds> stop_timeout = {};
    std::optional<int> processes = {};
    bool recover = false;
    bool drain = false;
    bool no_listen = false;
    bool verbose = false;
};

// Returns the first given option that makes sense for queue channels only, or null. Pure.
const char* queue_only_option(const listen_settings& settings);

// Runs until the end, and returns the exit status. Throws pgpubsub::error.
int listen(const listen_settings& settings);

}  // namespace pgpubsub::cli
