// The destination of a connection: the user's dsn, completed with the defaults of a long-lived client.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace pgpubsub::inline v0 {

using settings_list = std::vector<std::pair<std::string, std::string>>;  // for PQconnectStartParams

// One of the hosts that the dsn lists. An empty member is libpq's default.
struct host {
    std::string name;     // of a host, or a folder of Unix sockets
    std::string address;  // numeric; if given, the name is not looked up
    std::string port;
};

struct conninfo {
    settings_list settings;               // without the members below
    std::vector<host> hosts;              // at least one
    bool any_order = false;               // load_balance_hosts=random
    std::string session_attributes;       // target_session_attrs
    std::chrono::milliseconds timeout{};  // for one attempt, at one address of one host
    std::string database;                 // for messages; may be empty
};

// Throws error 22023 if the dsn, or its completion (the environment, a service file), is malformed.
conninfo parse_dsn(const std::string& dsn, const std::string& application_name);

}  // namespace pgpubsub::inline v0
