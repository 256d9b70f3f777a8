// Guarantees two things. A connection notices a dead peer: keepalives, a limit for unanswered data and a limit for
// connecting are set if neither the dsn, the environment nor a service file sets them. And a value that libpq would
// reject only later, or not at all, is refused here.
//
// Steps: let libpq parse the dsn; ask it for the settings that result with the environment and the service file; fill
// in the defaults; split lists of several hosts, which are tried one by one (connecting.cpp).

#include "pq/conninfo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include <pgpubsub/error.hpp>

#include "base/sqlstate.hpp"
#include "pq/pq.hpp"

namespace pgpubsub::inline v0 {

namespace {

using settings_map = std::map<std::string, std::string>;

std::string trimmed(const char* text) {
    std::string message = text != nullptr ? text : "";
    while (!message.empty() && (message.back() == '\n' || message.back() == ' '))
        message.pop_back();
    return message;
}

[[noreturn]] void refuse(const std::string& message, std::string hint) {
    throw error(message, {.sqlstate = std::string(sqlstate::invalid_parameter), .hint = std::move(hint)});
}

settings_map values_of(const PQconninfoOption* options) {
    settings_map values;
    for (; options != nullptr && options->keyword != nullptr; ++options)
        if (options->val != nullptr)
            values[options->keyword] = options->val;
    return values;
}

settings_map parse(const std::string& dsn) {
    char* problem = nullptr;
    const pg_conninfo given(PQconninfoParse(dsn.c_str(), &problem));
    const std::unique_ptr<char, pq_deleter> owned_problem(problem);
    if (!given)
        refuse(fmt::format("the DSN is malformed: {}", trimmed(problem)),
               "Write it as \"host=… dbname=… user=…\" or as \"postgresql://user@host/dbname\".");
    return values_of(given.get());
}

// Returns the settings that result with the environment and the service file. libpq reports them only for a connection;
// so one is begun with a value that libpq refuses before it uses the network. If libpq rejects another value, that
// error comes instead.
settings_map complete(const settings_map& settings) {
    constexpr const char* refused = "ssl_min_protocol_version";
    std::vector<const char*> keywords, values;
    for (const auto& [keyword, value] : settings) {
        if (keyword == refused)
            continue;
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    keywords.insert(keywords.end(), {refused, nullptr});
    values.insert(values.end(), {"pgpubsub asks", nullptr});
    const pg_connection asked(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (!asked)
        throw std::bad_alloc();
    const std::string problem = trimmed(PQerrorMessage(asked.get()));
    if (problem.find("pgpubsub asks") == std::string::npos)
        refuse(fmt::format("the settings of the connection are wrong: {}", problem),
               "They come from the DSN, from PGHOST, PGPORT, PGSERVICE and the like, and from the service file.");
    const pg_conninfo found(PQconninfo(asked.get()));
    auto effective = values_of(found.get());
    effective.erase(refused);
    return effective;
}

std::string value_in(const settings_map& settings, const std::string& keyword) {
    const auto found = settings.find(keyword);
    return found != settings.end() ? found->second : std::string();
}

std::vector<std::string> split(std::string_view list) {
    std::vector<std::string> parts;
    for (;;) {
        const auto comma = list.find(',');
        parts.emplace_back(list.substr(0, comma));
        if (comma == std::string_view::npos)
            return parts;
        list.remove_prefix(comma + 1);
    }
}

std::optional<int> to_number(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
    while (!text.empty() && blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && blank(text.back()))
        text.remove_suffix(1);
    int number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

// Reads the three lists as libpq does: there are as many hosts as the longer of the first two lists has; a single port
// is for all.
std::vector<host> hosts_of(const settings_map& effective) {
    const auto names = split(value_in(effective, "host"));
    const auto addresses = split(value_in(effective, "hostaddr"));
    const auto ports = split(value_in(effective, "port"));
    const auto part = [](const std::vector<std::string>& parts, std::size_t i) {
        return i < parts.size() ? parts[i] : std::string();
    };
    for (const auto& port : ports)
        if (const auto number = to_number(port); !port.empty() && (!number || *number < 1 || *number > 65535))
            refuse(fmt::format("the port is \"{}\", and must be a number from 1 to 65535", port),
                   "It comes from the DSN, from PGPORT, or from the service file.");
    std::vector<host> hosts;
    for (std::size_t i = 0; i < std::max(names.size(), addresses.size()); ++i)
        hosts.push_back({part(names, i), part(addresses, i), part(ports, ports.size() == 1 ? 0 : i)});
    return hosts;
}

// libpq's rule: 0 and less mean no limit, and a limit is at least 2 seconds.
std::chrono::milliseconds timeout_of(const std::string& text) {
    const auto seconds = text.empty() ? std::optional(10) : to_number(text);
    if (!seconds)
        refuse(fmt::format("connect_timeout is \"{}\", and must be a number of seconds", text),
               "It comes from the DSN, from PGCONNECT_TIMEOUT, or from the service file.");
    if (*seconds <= 0)
        return std::chrono::hours(24 * 365);
    return std::chrono::seconds(std::max(2, *seconds));
}

}  // namespace

conninfo parse_dsn(const std::string& dsn, const std::string& application_name) {
    auto settings = parse(dsn);
    const auto effective = complete(settings);
    const auto set_default = [&](const char* keyword, const char* value) {
        if (value_in(effective, keyword).empty())
            settings[keyword] = value;
    };
    set_default("keepalives_idle", "30");
    set_default("keepalives_interval", "10");
    set_default("keepalives_count", "3");
    set_default("tcp_user_timeout", "30000");
    set_default("fallback_application_name", "pgpubsub");
    if (!application_name.empty())
        settings["application_name"] = application_name;
    settings["client_encoding"] = "UTF8";  // quoting and JSON rely on it

    conninfo parsed;
    parsed.hosts = hosts_of(effective);
    parsed.any_order = value_in(effective, "load_balance_hosts") == "random";
    parsed.timeout = timeout_of(value_in(effective, "connect_timeout"));
    parsed.session_attributes = value_in(effective, "target_session_attrs");
    // Consumers and publishers write. "any" is libpq's default; a user who writes it explicitly gets it.
    const char* said = std::getenv("PGTARGETSESSIONATTRS");
    const bool is_said = settings.contains("target_session_attrs") || (said != nullptr && *said != '\0');
    if (parsed.hosts.size() > 1 && parsed.session_attributes == "any" && !is_said)
        parsed.session_attributes = "read-write";
    parsed.database = value_in(effective, "dbname");
    for (const char* keyword :
         {"host", "hostaddr", "port", "load_balance_hosts", "connect_timeout", "target_session_attrs"})
        settings.erase(keyword);
    for (const auto& [keyword, value] : settings)
        parsed.settings.emplace_back(keyword, value);
    return parsed;
}

}  // namespace pgpubsub::inline v0
