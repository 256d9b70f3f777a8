// The shared parts of the command lines of several subcommands.
#pragma once

#include <CLI/CLI.hpp>

#include <chrono>
#include <optional>
#include <string>

#include "options/duration.hpp"

namespace pgpubsub::cli {

extern const char* const footer;  // below each help: connection, exit status

void add_dsn(CLI::App& app, std::string& dsn);

// Adds a channel that must exist.
CLI::Option* add_channel(CLI::App& app, std::string& channel);

// Adds an option whose value is a duration such as 30s.
template <typename Target>
CLI::Option* add_duration(CLI::App& app, const std::string& name, Target& target, const std::string& text) {
    return app
        .add_option_function<std::string>(
            name,
            [&target, name](const std::string& value) {
                const auto parsed = parse_duration(value);
                if (!parsed)
                    throw CLI::ValidationError(name,
                                               "\"" + value + "\" is no duration; write 500ms, 30s, 5m, 2h or 1d");
                target = *parsed;
            },
            text)
        ->type_name("DURATION");
}

// Adds an option whose value is JSON text.
CLI::Option* add_json(CLI::App& app, const std::string& name, std::optional<std::string>& target,
                      const std::string& text);

// Returns a duration as a parameter of type interval.
std::optional<std::string> interval(const std::optional<std::chrono::milliseconds>& time);

}  // namespace pgpubsub::cli
