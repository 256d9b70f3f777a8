// What to connect to: the user's dsn, completed with the defaults of a long-lived client.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace pgpubsub::inline v0 {

struct conninfo {
    std::vector<std::pair<std::string, std::string>> settings;  // for PQconnectStartParams
    std::chrono::milliseconds timeout{};                        // for a whole attempt, over all hosts
    std::string database;                                       // for messages; may be empty
};

// Throws error 22023 when the dsn is malformed.
conninfo parse_dsn(const std::string& dsn, const std::string& application_name);

}  // namespace pgpubsub::inline v0
