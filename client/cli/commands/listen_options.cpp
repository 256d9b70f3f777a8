// The command line of `pgpubsub listen`.

#include <algorithm>
#include <memory>
#include <utility>

#include "commands/listen.hpp"
#include "options/options.hpp"
#include "options/subcommand.hpp"

namespace pgpubsub::cli {

namespace {

constexpr const char* listen_footer =
    "A command finds the notification as one JSON line on its stdin, and\n"
    "PGPUBSUB_ID, PGPUBSUB_CHANNEL, PGPUBSUB_ATTEMPTS, PGPUBSUB_IDEMPOTENCY_KEY\n"
    "and (if it has one) PGPUBSUB_KEY in its environment; a key that is too long for\n"
    "that is left out, and PGPUBSUB_KEY_OMITTED is 1. Its stdout and stderr are the\n"
    "program's own. Its exit status decides: 0 acks; 65 rejects, so that the\n"
    "notification becomes a dead letter at once; 126 and 127 say that the command\n"
    "could not be run, and end the listener; any other lets the notification be\n"
    "tried again, by the back-off of its subscription.\n"
    "\n"
    "A channel whose name begins with - goes behind --.\n"
    "\n"
    "On a broadcast channel each listener gets each broadcast, from now on; nothing\n"
    "is stored, acked or retried.\n"
    "\n";

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\n\r") == std::string::npos; }

void check(const listen_settings& s) {
    if (s.command && is_blank(*s.command))
        throw CLI::ValidationError("--exec", "needs a command");
    if (s.limit && s.processes.value_or(1) > 1)
        throw CLI::ValidationError("--limit", "excludes --processes");
    if (s.limit && s.batch)
        throw CLI::ValidationError("--limit", "excludes --batch");
    if (s.stop_timeout && !s.processes)
        throw CLI::ValidationError("--stop-timeout", "needs --processes");
    if (s.poll_interval && s.poll_interval->count() == 0)
        throw CLI::ValidationError("--poll-interval", "must be longer than 0");
    for (std::size_t i = 0; i < s.channels.size(); ++i)
        if (std::find(s.channels.begin(), s.channels.begin() + static_cast<std::ptrdiff_t>(i), s.channels[i]) !=
            s.channels.begin() + static_cast<std::ptrdiff_t>(i))
            throw CLI::ValidationError("channel", "\"" + s.channels[i] + "\" is given twice");
    if (s.lease && s.mode == "transactional")
        throw CLI::ValidationError("--lease", "excludes --mode transactional");
    if (s.lease && s.mode.empty() && !s.command)
        throw CLI::ValidationError("--lease", "needs --mode leased or --exec");
    if (s.lease && *s.lease < std::chrono::seconds(1))
        throw CLI::ValidationError("--lease", "must be at least 1s");
    const auto check_name = [](const char* option, const char* what, const std::string& name) {
        if (name.empty() || name.size() > 63)
            throw CLI::ValidationError(option, "\"" + name + "\": the name of a " + what + " has 1 to 63 bytes");
    };
    for (const auto& channel : s.channels)
        check_name("channel", "channel", channel);
    if (s.subscription)
        check_name("--subscription", "subscription", *s.subscription);
}

}  // namespace

subcommand add_listen(CLI::App& app) {
    auto settings = std::make_shared<listen_settings>();
    auto& s = *settings;
    auto* listen_app = app.add_subcommand("listen", "print notifications as JSON lines, or run a command for each");
    listen_app->add_option("channel", s.channels, "the channels to consume from")->required()->type_name("CHANNEL");
    listen_app
        ->add_option("--subscription", s.subscription,
                     "consume this subscription of each channel (default: \"default\")")
        ->type_name("NAME");
    add_json(*listen_app, "--filter", s.filter,
             "only notifications whose payload contains this, such as {\"context\": {\"tenant\": 7}}");
    listen_app
        ->add_option("--exec", s.command,
                     "run CMD for each notification, its JSON on stdin; 0 acks, 65 rejects, 126 and 127 end the "
                     "listener, anything else "
                     "nacks with stderr")
        ->type_name("CMD");
    listen_app
        ->add_option("--processes", s.processes,
                     "so many worker processes (default 1); one of several that dies is replaced")
        ->check(CLI::Range(1, 1024))
        ->type_name("N");
    listen_app->add_flag("--recover", s.recover,
                         "first call pgpubsub.recover() for each channel, and say what it found");
    listen_app->add_option("--mode", s.mode, "transactional (default), or leased (default with --exec)")
        ->check(CLI::IsMember({"transactional", "leased"}))
        ->type_name("MODE");
    listen_app
        ->add_option("--batch", s.batch,
                     "take at most N at once (default 500, with --exec 8, with --exec in transactional mode 1)")
        ->check(CLI::Range(1, 1000))
        ->type_name("N");
    listen_app->add_option("--limit", s.limit, "end after N notifications")
        ->check(CLI::Range(1, 1'000'000'000))
        ->type_name("N");
    add_duration(*listen_app, "--lease", s.lease,
                 "leased mode: how soon others may have it if this process dies (default 30s)");
    listen_app->add_flag("--drain", s.drain, "process what is ready, then exit; with 1 if a notification failed");
    add_duration(*listen_app, "--poll-interval", s.poll_interval,
                 "look for work this often, or up to a quarter later, when nothing wakes it (default 60s)");
    listen_app->add_flag("--no-listen", s.no_listen,
                         "wait by CALL pgpubsub.wait() instead of LISTEN: for a pooler in transaction mode");
    add_duration(*listen_app, "--give-up-after", s.give_up_after,
                 "how long to try to connect (default: at the start not at all, later for ever)");
    add_duration(*listen_app, "--stop-timeout", s.stop_timeout,
                 "with --processes: end what workers have in hand that take longer to end (default 60s)");
    listen_app->add_flag("-v,--verbose", s.verbose, "say more on stderr");
    add_dsn(*listen_app, s.dsn);
    listen_app->footer(std::string(listen_footer) + footer);
    return {listen_app, [settings] { check(*settings); }, [settings] { return listen(*settings); }};
}

}  // namespace pgpubsub::cli
