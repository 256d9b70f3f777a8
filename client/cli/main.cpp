// The program pgpubsub: parses the command line and calls the subcommand.
//
// Exit statuses: 0 it worked (also: ended by SIGTERM or SIGINT), 1 it failed, 2 the command line is wrong.

#include <signal.h>

#include <iostream>
#include <vector>

#include <pgpubsub/pgpubsub.hpp>

#include "exit_status.hpp"
#include "options.hpp"
#include "report.hpp"
#include "subcommand.hpp"

namespace pgpubsub::cli {

namespace {

// CLI11 would just miss a subcommand, and not name what it found in its place.
void check_subcommand(const std::vector<subcommand>& subcommands, int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return;
    std::string known;
    for (const auto& s : subcommands) {
        if (s.app->get_name() == argv[1]) return;
        known += (known.empty() ? "" : ", ") + s.app->get_name();
    }
    throw CLI::ParseError("unknown subcommand \"" + std::string(argv[1]) + "\"; there are: " + known, usage);
}

// The footers are written as they are to be read. From 2.5 on, CLI11 fills them like a paragraph unless it is told not to.
template <typename Formatter>
void keep_footers(Formatter& formatter) {
    if constexpr (requires { formatter.enable_footer_formatting(false); })
        formatter.enable_footer_formatting(false);
    else if constexpr (requires { formatter.footer_paragraph_width(1000); })
        formatter.footer_paragraph_width(1000);
}

int run(int argc, char** argv) {
    ::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is reported by write()
    CLI::App app("Consume from and publish to PostgreSQL as a message broker.", "pgpubsub");
    app.set_version_flag("--version", std::string("pgpubsub ") + version());
    app.require_subcommand(1);
    keep_footers(*app.get_formatter());  // the subcommands inherit the formatter
    app.footer(footer);
    std::vector<subcommand> subcommands;
    for (const auto& add : {add_listen, add_publish, add_channels, add_stats, add_dead_letters, add_redrive,
                            add_purge_dead_letters, add_recover, add_pause, add_resume, add_purge, add_subscribe, add_unsubscribe})
        subcommands.push_back(add(app));
    const auto given = [&]() -> const subcommand* {
        for (const auto& s : subcommands)
            if (s.app->parsed()) return &s;
        return nullptr;
    };
    try {
        check_subcommand(subcommands, argc, argv);
        app.parse(argc, argv);
        given()->check();
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) {
            app.exit(e);  // --help, --version
            return std::cout.flush() ? success : failure;
        }
        report(e.what(), "See pgpubsub " + (given() == nullptr ? "" : given()->app->get_name() + " ") + "--help.");
        return usage;
    }
    try {
        return given()->run();
    } catch (const error& e) {
        report(e);
    } catch (const std::exception& e) {
        report(e.what());
    }
    return failure;
}

}  // namespace

}  // namespace pgpubsub::cli

int main(int argc, char** argv) { return pgpubsub::cli::run(argc, argv); }
