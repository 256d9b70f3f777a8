// The subcommands of the program.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace pgpubsub::cli {

struct subcommand {
    CLI::App* app;
    std::function<void()> check;  // throws CLI::ValidationError if options contradict each other
    std::function<int()> run;     // returns the exit status, or throws pgpubsub::error
};

// Each function adds one subcommand to the command line.
subcommand add_listen(CLI::App& app);   // listen_options.cpp
subcommand add_publish(CLI::App& app);  // publish_options.cpp
subcommand add_peek(CLI::App& app);     // inspect.cpp
subcommand add_channels(CLI::App& app);
subcommand add_stats(CLI::App& app);
subcommand add_dead_letters(CLI::App& app);
subcommand add_redrive(CLI::App& app);  // dead_letters.cpp
subcommand add_purge_dead_letters(CLI::App& app);
subcommand add_recover(CLI::App& app);  // maintain.cpp
subcommand add_pause(CLI::App& app);
subcommand add_resume(CLI::App& app);
subcommand add_purge(CLI::App& app);
subcommand add_subscribe(CLI::App& app);  // subscriptions.cpp
subcommand add_unsubscribe(CLI::App& app);

}  // namespace pgpubsub::cli
