// The program pgpubsub: parses the command line and calls the subcommand.
//
// Exit statuses: 0 success (also: ended by SIGTERM or SIGINT), 1 failure, 2 wrong command line.

#include <signal.h>

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <pgpubsub/pgpubsub.hpp>

#include "options/command_line.hpp"
#include "options/options.hpp"
#include "options/subcommand.hpp"
#include "output/exit_status.hpp"
#include "output/output.hpp"
#include "output/report.hpp"
#include "output/terminal.hpp"

namespace pgpubsub::cli {

namespace {

// The footers are already laid out. From 2.5 on, CLI11 wraps them like a paragraph unless it is told not to.
template <typename Formatter>
void keep_footers(Formatter& formatter) {
    if constexpr (requires { formatter.enable_footer_formatting(false); })
        formatter.enable_footer_formatting(false);
    else if constexpr (requires { formatter.footer_paragraph_width(1000); })
        formatter.footer_paragraph_width(1000);
}

constexpr std::size_t help_column = 26;  // where the description of an option begins

// Returns a look-up of the subcommands' options: whether the option has a value in one of them.
option_lookup options_of(const std::vector<subcommand>& subcommands) {
    return [&subcommands](const std::string& name) -> std::optional<bool> {
        for (const auto& s : subcommands)
            if (const auto* option = s.app->get_option_no_throw(name))
                return option->get_expected_max() > 0;
        return std::nullopt;
    };
}

// Checks the dsn with libpq, which says what is wrong with it, before anything is done.
void check_dsn(const CLI::App& app, const std::vector<std::string>& arguments) {
    const std::string dsn = app.get_option("--dsn")->empty() ? "" : app.get_option("--dsn")->as<std::string>();
    char* problem = nullptr;
    PQconninfoOption* const parsed = PQconninfoParse(dsn.c_str(), &problem);
    PQconninfoFree(parsed);
    const std::unique_ptr<char, void (*)(void*)> owned(problem, PQfreemem);
    if (parsed != nullptr)
        return;
    std::string text = problem != nullptr ? problem : "out of memory";
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    const bool is_given = std::any_of(arguments.begin(), arguments.end(),
                                      [](const auto& a) { return a == "--dsn" || a.starts_with("--dsn="); });
    throw error((is_given ? "--dsn: " : "the environment variable PGPUBSUB_DSN: ") + ("the DSN is malformed: " + text),
                {.sqlstate = "22023",
                 .hint = "Write it as \"host=… dbname=… user=…\" or as \"postgresql://user@host/dbname\"."});
}

class program {
public:
    program() {
        app_.set_version_flag("-V,--version", std::string("pgpubsub ") + version());
        app_.require_subcommand(1);
        keep_footers(*app_.get_formatter());  // the subcommands inherit the formatter
        app_.get_formatter()->column_width(help_column);
        app_.footer(footer);
        for (const auto& add :
             {add_listen, add_publish, add_peek, add_channels, add_stats, add_dead_letters, add_redrive,
              add_purge_dead_letters, add_recover, add_pause, add_resume, add_purge, add_subscribe, add_unsubscribe})
            subcommands_.push_back(add(app_));
    }

    int run(std::vector<std::string> arguments) {
        if (arguments.empty()) {
            relay(wrapped(app_.help(), terminal_width(), help_column));
            return usage;
        }
        if (const auto status = parse(std::move(arguments)))
            return *status;
        return given()->run();
    }

private:
    // Returns the exit status if nothing is left to do after the parsing.
    std::optional<int> parse(std::vector<std::string> arguments) {
        try {
            std::vector<std::string> names;
            for (const auto& s : subcommands_)
                names.push_back(s.app->get_name());
            arguments = subcommand_first(std::move(arguments), names, options_of(subcommands_));
            app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
            check_dsn(*given()->app, arguments);
            given()->check();
            return std::nullopt;
        } catch (const CLI::CallForHelp&) {
            print(wrapped(app_.help(), terminal_width(), help_column));
            return success;
        } catch (const CLI::CallForVersion& e) {
            print(e.what() + std::string("\n"));
            return success;
        } catch (const CLI::ExtrasError&) {
            return refuse(unexpected(arguments, given()->app->remaining()));
        } catch (const CLI::ParseError& e) {
            return refuse(e.what());
        } catch (const wrong_command_line& e) {
            return refuse(e.what());
        } catch (const error& e) {
            report(e);
            return usage;
        }
    }

    int refuse(const std::string& message) const {
        report(message, "See pgpubsub " + (given() == nullptr ? "" : given()->app->get_name() + " ") + "--help.");
        return usage;
    }

    const subcommand* given() const {
        for (const auto& s : subcommands_)
            if (s.app->parsed())
                return &s;
        return nullptr;
    }

    CLI::App app_{"Consume from and publish to PostgreSQL as a message broker.", "pgpubsub"};
    std::vector<subcommand> subcommands_;
};

int run(int argc, char** argv) {
    ::signal(SIGPIPE, SIG_IGN);  // write() reports a reader that is gone
    try {
        return program().run({argv + std::min(argc, 1), argv + argc});
    } catch (const error& e) {
        report(e);
    } catch (const reader_is_gone&) {
        return success;  // the reader has seen enough
    } catch (const std::exception& e) {
        report(e.what());
    }
    return failure;
}

}  // namespace

}  // namespace pgpubsub::cli

int main(int argc, char** argv) {
    pgpubsub::cli::open_standard_descriptors();
    const int status = pgpubsub::cli::run(argc, argv);
    pgpubsub::cli::flush_messages(std::chrono::seconds(1));
    return status;
}
