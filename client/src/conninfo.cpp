// Guarantees that a connection notices a dead peer: keepalives, a limit for unanswered data and a limit
// for connecting are set wherever neither the dsn nor the environment sets them.
//
// Steps: let libpq parse the dsn, look up what it and the environment leave open, fill in the defaults.

#include "conninfo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include <pgpubsub/error.hpp>

#include "pq.hpp"
#include "sqlstate.hpp"

namespace pgpubsub::inline v0 {

namespace {

std::string trimmed(const char* text) {
    std::string message = text != nullptr ? text : "";
    while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
    return message;
}

}  // namespace

conninfo parse_dsn(const std::string& dsn, const std::string& application_name) {
    char* problem = nullptr;
    const pg_conninfo given(PQconninfoParse(dsn.c_str(), &problem));
    const std::unique_ptr<char, pq_deleter> owned_problem(problem);
    if (!given)
        throw error(fmt::format("the DSN is malformed: {}", trimmed(problem)),
                    {.sqlstate = std::string(sqlstate::invalid_parameter),
                     .hint = "Write it as \"host=… dbname=… user=…\" or as \"postgresql://user@host/dbname\"."});

    std::map<std::string, std::string> settings;
    for (const PQconninfoOption* option = given.get(); option->keyword != nullptr; ++option)
        if (option->val != nullptr) settings[option->keyword] = option->val;

    const auto effective = [&](const std::string& keyword) -> std::string {
        if (const auto it = settings.find(keyword); it != settings.end()) return it->second;
        for (const PQconninfoOption* option = given.get(); option->keyword != nullptr; ++option)
            if (keyword == option->keyword && option->envvar != nullptr)
                if (const char* value = std::getenv(option->envvar)) return value;
        return {};
    };
    const auto set_default = [&](const char* keyword, const char* value) {
        if (effective(keyword).empty()) settings[keyword] = value;
    };
    if (effective("service").empty()) {  // what is set here would override the service file
        set_default("keepalives_idle", "30");
        set_default("keepalives_interval", "10");
        set_default("keepalives_count", "3");
        set_default("tcp_user_timeout", "30000");
        set_default("connect_timeout", "10");
    }
    set_default("fallback_application_name", "pgpubsub");
    if (!application_name.empty()) settings["application_name"] = application_name;
    settings["client_encoding"] = "UTF8";  // quoting and JSON rely on it

    conninfo parsed;
    for (const auto& [keyword, value] : settings) parsed.settings.emplace_back(keyword, value);
    const std::string hosts = effective("host");
    const auto count = 1 + std::count(hosts.begin(), hosts.end(), ',');
    const std::string limit = effective("connect_timeout");
    const int seconds = limit.empty() ? 10 : std::atoi(limit.c_str());
    // libpq's rule: 0 and less mean no limit, and a limit is at least 2 seconds.
    parsed.timeout = seconds <= 0 ? std::chrono::hours(24) : std::chrono::seconds(std::max(2, seconds) * count);
    parsed.database = effective("dbname");
    return parsed;
}

}  // namespace pgpubsub::inline v0
