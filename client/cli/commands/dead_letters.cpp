// `pgpubsub redrive` and `purge-dead-letters`: redrive or remove dead letters. The selection must be given, even if it
// is all.

#include <memory>
#include <vector>

#include <pgpubsub/pgpubsub.hpp>

#include "options/options.hpp"
#include "options/query.hpp"
#include "options/subcommand.hpp"
#include "output/exit_status.hpp"

namespace pgpubsub::cli {

namespace {

struct selection {
    std::string dsn;
    std::string channel;
    std::string subscription = "default";
    std::vector<long long> ids;
    std::optional<std::string> filter;
    std::optional<std::chrono::milliseconds> older_than;
    bool all = false;
};

std::shared_ptr<selection> add_selection(CLI::App& app) {
    auto s = std::make_shared<selection>();
    add_channel(app, s->channel);
    app.add_option("--subscription", s->subscription, "the subscription whose dead letters are meant")
        ->capture_default_str()
        ->type_name("NAME");
    app.add_option("--id", s->ids, "those with these ids")->type_name("N");
    add_json(app, "--filter", s->filter, "those whose payload contains this");
    app.add_flag("--all", s->all, "all of them");
    add_dsn(app, s->dsn);
    return s;
}

// Returns the selecting options, as they were given.
std::vector<std::string> selecting(const selection& s) {
    std::vector<std::string> given;
    if (!s.ids.empty())
        given.emplace_back("--id");
    if (s.filter)
        given.emplace_back("--filter");
    if (s.older_than)
        given.emplace_back("--older-than");
    return given;
}

void check(const selection& s, const std::string& possible) {
    const auto given = selecting(s);
    if (s.all && !given.empty())
        throw CLI::ValidationError("--all", "excludes " + given.front());
    if (!s.ids.empty() && given.size() > 1)
        throw CLI::ValidationError("--id", "excludes " + given[1]);
    if (!s.all && given.empty())
        throw CLI::ValidationError("channel", "say which dead letters: " + possible + " or --all");
}

std::string ids_of(const selection& s) {
    std::string array = "{";
    for (const auto id : s.ids)
        array += (array.size() > 1 ? "," : "") + std::to_string(id);
    return array + '}';
}

// Each function has a form for ids, and one for all other arguments.
result call_for_ids(session& server, const std::string& function, const selection& s) {
    return server.query("SELECT pgpubsub." + function + "($1, ids => $2, subscription => $3)",
                        {s.channel, ids_of(s), s.subscription});
}

}  // namespace

subcommand add_redrive(CLI::App& app) {
    auto* command =
        app.add_subcommand("redrive", "make dead letters ready again, with no attempt counted; print how many");
    const auto s = add_selection(*command);
    return {command, [s] { check(*s, "--id, --filter"); },
            [s] {
                auto server = connect(s->dsn);
                print_number(!s->ids.empty()
                                 ? call_for_ids(server, "redrive", *s)
                                 : server.query("SELECT pgpubsub.redrive($1, filter => $2, subscription => $3)",
                                                {s->channel, s->filter, s->subscription}));
                return success;
            }};
}

subcommand add_purge_dead_letters(CLI::App& app) {
    auto* command = app.add_subcommand("purge-dead-letters", "remove dead letters; print how many");
    const auto s = add_selection(*command);
    add_duration(*command, "--older-than", s->older_than, "those that died longer ago than this");
    return {command, [s] { check(*s, "--id, --filter, --older-than"); },
            [s] {
                auto server = connect(s->dsn);
                print_number(!s->ids.empty()
                                 ? call_for_ids(server, "purge_dead_letters", *s)
                                 : server.query("SELECT pgpubsub.purge_dead_letters($1, filter => $2, older_than => $3,"
                                                " subscription => $4)",
                                                {s->channel, s->filter, interval(s->older_than), s->subscription}));
                return success;
            }};
}

}  // namespace pgpubsub::cli
