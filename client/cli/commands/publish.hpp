// `pgpubsub publish`, with the settings of its command line.
#pragma once

#include <optional>
#include <string>

namespace pgpubsub::cli {

struct publish_settings {
    std::string dsn;
    std::string channel;
    std::optional<std::string> payload;  // "-" or no value: stdin
    std::optional<std::string> key;
    std::optional<std::string> headers;
    std::optional<std::string> deliver_at;
    int priority = 0;
    std::optional<std::string> dedup_key;
    bool replace = false;
    bool lines = false;  // each line of stdin is a payload
};

// Publishes, and returns the exit status. Throws pgpubsub::error.
int publish(const publish_settings& settings);

}  // namespace pgpubsub::cli
