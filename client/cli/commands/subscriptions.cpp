// `pgpubsub subscribe` and `unsubscribe`: durable copies of a channel.

#include <memory>

#include <pgpubsub/pgpubsub.hpp>

#include "options/options.hpp"
#include "options/query.hpp"
#include "options/subcommand.hpp"
#include "output/exit_status.hpp"

namespace pgpubsub::cli {

namespace {

struct new_subscription {
    std::string dsn;
    std::string channel;
    std::string subscription;
    std::optional<std::string> filter;
    std::optional<int> max_attempts;
    std::optional<std::chrono::milliseconds> backoff_base;
    std::optional<double> backoff_factor;
    std::optional<std::chrono::milliseconds> backoff_max;
    std::optional<double> backoff_jitter;
    std::optional<std::chrono::milliseconds> history;
    bool if_not_exists = false;
};

int subscribe(const new_subscription& s) {
    connect(s.dsn).execute(
        "SELECT pgpubsub.subscribe($1, $2, filter => $3, max_attempts => $4, backoff_base => $5, backoff_factor => $6,"
        " backoff_max => $7, backoff_jitter => $8, history => $9, if_not_exists => $10)",
        {s.channel, s.subscription, s.filter, s.max_attempts, interval(s.backoff_base), s.backoff_factor,
         interval(s.backoff_max), s.backoff_jitter, interval(s.history), s.if_not_exists});
    return success;
}

}  // namespace

subcommand add_subscribe(CLI::App& app) {
    auto s = std::make_shared<new_subscription>();
    auto* command = app.add_subcommand("subscribe", "add a subscription: a durable copy of a channel, from now on");
    add_channel(*command, s->channel);
    command->add_option("subscription", s->subscription, "its name")->required()->type_name("NAME");
    add_json(*command, "--filter", s->filter, "only notifications whose payload contains this");
    command->add_option("--max-attempts", s->max_attempts, "then a notification becomes a dead letter")->type_name("N");
    add_duration(*command, "--backoff-base", s->backoff_base, "the delay after the first failure");
    command->add_option("--backoff-factor", s->backoff_factor, "by which the delay grows with each failure")
        ->type_name("X");
    add_duration(*command, "--backoff-max", s->backoff_max, "the longest delay");
    command->add_option("--backoff-jitter", s->backoff_jitter, "the random part of the delay, 0 to 1")->type_name("X");
    add_duration(*command, "--history", s->history, "how long processed notifications are kept");
    command->add_flag("--if-not-exists", s->if_not_exists, "leave it as it is if there is one of this name");
    add_dsn(*command, s->dsn);
    return {command, [] {}, [s] { return subscribe(*s); }};
}

subcommand add_unsubscribe(CLI::App& app) {
    struct settings {
        std::string dsn, channel, subscription;
    };
    auto s = std::make_shared<settings>();
    auto* command = app.add_subcommand("unsubscribe", "remove a subscription with all that is stored for it");
    add_channel(*command, s->channel);
    command->add_option("subscription", s->subscription, "its name")->required()->type_name("NAME");
    add_dsn(*command, s->dsn);
    return {command, [] {},
            [s] {
                connect(s->dsn).execute("SELECT pgpubsub.unsubscribe($1, $2)", {s->channel, s->subscription});
                return success;
            }};
}

}  // namespace pgpubsub::cli
