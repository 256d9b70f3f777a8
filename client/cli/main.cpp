// The program pgpubsub: parses the command line and calls the subcommand.
//
// Exit statuses: 0 it worked (also: ended by SIGTERM or SIGINT), 1 it failed, 2 the command line is wrong.

#include <CLI/CLI.hpp>

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <pgpubsub/pgpubsub.hpp>

#include "commands.hpp"
#include "duration.hpp"
#include "exit_status.hpp"
#include "json_line.hpp"
#include "report.hpp"

namespace pgpubsub::cli {

namespace {

constexpr const char* listen_footer =
    "A command finds the notification as one JSON line on its stdin, and PGPUBSUB_ID, PGPUBSUB_CHANNEL,\n"
    "PGPUBSUB_ATTEMPTS and (if it has one) PGPUBSUB_KEY in its environment. Its stdout and stderr are the\n"
    "program's own. A channel whose name begins with - goes behind --.\n"
    "\n";

constexpr const char* footer =
    "Connection: --dsn takes a libpq connection string or URI; without it PGPUBSUB_DSN is used, else PGHOST,\n"
    "PGPORT, PGDATABASE, PGUSER and so on, as with psql.\n"
    "\n"
    "Exit status: 0 if it worked (a listener ended by SIGTERM, SIGINT or SIGHUP finishes what it has in hand and\n"
    "exits with 0), 1 if it failed (with --drain: also if a notification failed), 2 if the command line is\n"
    "wrong.";

using milliseconds = std::chrono::milliseconds;

// An option whose value is a duration such as 30s.
template <typename Target>
CLI::Option* add_duration(CLI::App& app, const std::string& name, Target& target, const std::string& text) {
    return app
        .add_option_function<std::string>(
            name,
            [&target, name](const std::string& value) {
                const auto parsed = parse_duration(value);
                if (!parsed)
                    throw CLI::ValidationError(name, "\"" + value + "\" is no duration; write 500ms, 30s, 5m, 2h or 1d");
                target = *parsed;
            },
            text)
        ->type_name("DURATION");
}

void add_dsn(CLI::App& app, std::string& dsn) {
    app.add_option("--dsn", dsn, "where to connect to: \"host=… dbname=…\" or postgresql://…")->envname("PGPUBSUB_DSN")->type_name("DSN");
    app.footer(footer);
}

CLI::App* add_listen(CLI::App& app, listen_settings& s) {
    auto* listen = app.add_subcommand("listen", "print notifications as JSON lines, or run a command for each");
    listen->add_option("channel", s.channels, "the channels to consume from")->required()->type_name("CHANNEL");
    listen->add_option("--exec", s.command,
                       "run CMD by /bin/sh for each notification, its JSON on stdin; 0 acks, anything else nacks with stderr")
        ->type_name("CMD");
    listen->add_option("--processes", s.processes, "so many worker processes (default 1); one of several that dies is replaced")
        ->check(CLI::Range(1, 1024))->type_name("N");
    listen->add_flag("--recover", s.recover, "first call pgpubsub.recover() for each channel, and say what it found");
    listen->add_option("--mode", s.mode, "transactional (default), or leased (default with --exec)")
        ->check(CLI::IsMember({"transactional", "leased"}))->type_name("MODE");
    listen->add_option("--batch", s.batch, "take at most N at once (default 50, with --exec 1)")
        ->check(CLI::Range(1, 1000))->type_name("N");
    add_duration(*listen, "--lease", s.lease, "leased mode: how soon others may have it if this process dies (default 30s)");
    listen->add_flag("--drain", s.drain, "process what is ready, then exit; with 1 if a notification failed");
    add_duration(*listen, "--poll-interval", s.poll_interval, "look for work at least this often, woken or not (default 60s)");
    add_duration(*listen, "--retry-delay", s.retry_delay, "the first delay after a failure; it doubles each time (default 1s)");
    add_duration(*listen, "--give-up-after", s.give_up_after,
                 "how long to try to connect (default: at the start not at all, later for ever)");
    add_duration(*listen, "--stop-timeout", s.stop_timeout, "with --processes: end what workers have in hand that take longer to end (default 60s)");
    listen->add_flag("-v,--verbose", s.verbose, "say more on stderr");
    add_dsn(*listen, s.dsn);
    listen->footer(std::string(listen_footer) + footer);
    return listen;
}

CLI::App* add_publish(CLI::App& app, publish_settings& s) {
    auto* publish = app.add_subcommand("publish", "store a notification and print its id");
    publish->add_option("channel", s.channel, "an existing channel")->required()->type_name("CHANNEL");
    publish->add_option("payload", s.payload, "the payload; - or none: read it from stdin")->type_name("JSON");
    publish->add_option("--key", s.key, "the key")->type_name("TEXT");
    publish->add_option("--headers", s.headers, "an object with headers")->type_name("JSON");
    publish->add_option("--deliver-at", s.deliver_at, "not before this time, as PostgreSQL reads it")->type_name("TIME");
    publish->add_option("--priority", s.priority, "higher ones are delivered first")
        ->check(CLI::Range(-32768, 32767))->capture_default_str()->type_name("N");
    add_dsn(*publish, s.dsn);
    return publish;
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\n\r") == std::string::npos; }

void check(const listen_settings& s) {
    if (s.command && is_blank(*s.command)) throw CLI::ValidationError("--exec", "needs a command");
    if (s.stop_timeout && !s.processes) throw CLI::ValidationError("--stop-timeout", "needs --processes");
    for (const auto& [name, time] : {std::pair("--retry-delay", s.retry_delay), std::pair("--poll-interval", s.poll_interval)})
        if (time && time->count() == 0) throw CLI::ValidationError(name, "must be longer than 0");
    for (std::size_t i = 0; i < s.channels.size(); ++i)
        if (std::find(s.channels.begin(), s.channels.begin() + static_cast<std::ptrdiff_t>(i), s.channels[i]) !=
            s.channels.begin() + static_cast<std::ptrdiff_t>(i))
            throw CLI::ValidationError("channel", "\"" + s.channels[i] + "\" is given twice");
    if (s.lease && s.mode == "transactional") throw CLI::ValidationError("--lease", "excludes --mode transactional");
    if (s.lease && s.mode.empty() && !s.command) throw CLI::ValidationError("--lease", "needs --mode leased or --exec");
    if (s.lease && *s.lease < std::chrono::seconds(1)) throw CLI::ValidationError("--lease", "must be at least 1s");
    for (const auto& channel : s.channels)
        if (channel.empty() || channel.size() > 63)
            throw CLI::ValidationError("channel", "\"" + channel + "\": the name of a channel has 1 to 63 bytes");
}

void check(const publish_settings& s) {
    if (!s.headers) return;
    if (const auto problem = json_problem(*s.headers))
        throw CLI::ValidationError("--headers", "is not valid JSON: " + *problem);
    if ((*s.headers)[s.headers->find_first_not_of(" \t\n\r")] != '{')
        throw CLI::ValidationError("--headers", "must be a JSON object, such as {\"trace\": \"a1\"}");
}

// CLI11 would just miss a subcommand, and not name what it found in its place.
void check_subcommand(const CLI::App& app, int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return;
    std::string known;
    for (const auto* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (subcommand->get_name() == argv[1]) return;
        known += (known.empty() ? "" : ", ") + subcommand->get_name();
    }
    throw CLI::ParseError("unknown subcommand \"" + std::string(argv[1]) + "\"; there are: " + known, usage);
}

int run(int argc, char** argv) {
    ::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is reported by write()
    CLI::App app("Consume from and publish to PostgreSQL as a message broker.", "pgpubsub");
    app.set_version_flag("--version", std::string("pgpubsub ") + version());
    app.require_subcommand(1);
    app.footer(footer);
    listen_settings to_listen;
    publish_settings to_publish;
    const auto* listening = add_listen(app, to_listen);
    const auto* publishing = add_publish(app, to_publish);
    try {
        check_subcommand(app, argc, argv);
        app.parse(argc, argv);
        if (listening->parsed()) check(to_listen);
        if (publishing->parsed()) check(to_publish);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) {
            app.exit(e);  // --help, --version
            return std::cout.flush() ? success : failure;
        }
        const auto used = app.get_subcommands();
        report(e.what(), "See pgpubsub " + (used.empty() ? "" : used.front()->get_name() + " ") + "--help.");
        return usage;
    }
    try {
        return listening->parsed() ? listen(to_listen) : publish(to_publish);
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
