// `pgpubsub recover`, `pause`, `resume` and `purge`: each is one call.

#include <memory>

#include <pgpubsub/pgpubsub.hpp>

#include "options/options.hpp"
#include "options/query.hpp"
#include "options/subcommand.hpp"
#include "output/exit_status.hpp"

namespace pgpubsub::cli {

namespace {

struct target {
    std::string dsn;
    std::string channel;
    std::optional<std::string> subscription;
    bool all = false;
};

std::shared_ptr<target> add_target(CLI::App& app, const std::string& subscription_text) {
    auto s = std::make_shared<target>();
    add_channel(app, s->channel);
    app.add_option("--subscription", s->subscription, subscription_text)->type_name("NAME");
    add_dsn(app, s->dsn);
    return s;
}

subcommand add_switch(CLI::App& app, const std::string& name, const std::string& text, const std::string& function) {
    auto* command = app.add_subcommand(name, text);
    const auto s = add_target(*command, "only this subscription (default: all of the channel)");
    return {command, [] {},
            [s, function] {
                connect(s->dsn).execute("SELECT pgpubsub." + function + "($1, $2)", {s->channel, s->subscription});
                return success;
            }};
}

}  // namespace

subcommand add_recover(CLI::App& app) {
    struct settings {
        std::string dsn;
        std::optional<std::string> channel;
        int chunk_size = 10'000;
    };
    auto s = std::make_shared<settings>();
    auto* command = app.add_subcommand(
        "recover", "end leases whose owner is gone, wake the consumers of what is ready; print how many ended");
    command->add_option("channel", s->channel, "only this channel (default: all that you may consume)")
        ->type_name("CHANNEL");
    command->add_option("--chunk-size", s->chunk_size, "commit after each N notifications")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str()
        ->type_name("N");
    add_dsn(*command, s->dsn);
    return {command, [] {},
            [s] {
                auto server = connect(s->dsn);
                print_number(std::to_string(server.recover(s->channel, s->chunk_size)));
                return success;
            }};
}

subcommand add_pause(CLI::App& app) {
    return add_switch(app, "pause", "hand out nothing of a channel for now; what is published is stored",
                      "pause_channel");
}

subcommand add_resume(CLI::App& app) {
    return add_switch(app, "resume", "hand out notifications of a paused channel again, and wake the consumers",
                      "resume_channel");
}

subcommand add_purge(CLI::App& app) {
    auto* command = app.add_subcommand("purge", "remove the stored notifications of a channel; print how many");
    const auto s = add_target(*command, "those of this subscription");
    command->add_flag("--all", s->all, "those of all its subscriptions");
    const auto check = [s] {
        if (s->all && s->subscription)
            throw CLI::ValidationError("--all", "excludes --subscription");
        if (!s->all && !s->subscription)
            throw CLI::ValidationError("channel", "say which notifications: --subscription or --all");
    };
    return {command, check, [s] {
                auto server = connect(s->dsn);
                print_number(server.query("SELECT pgpubsub.purge_channel($1, $2)", {s->channel, s->subscription}));
                return success;
            }};
}

}  // namespace pgpubsub::cli
