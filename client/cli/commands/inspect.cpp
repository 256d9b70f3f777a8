// `pgpubsub peek`, `channels`, `stats` and `dead-letters`: the contents of the views, as a table for people, or as JSON
// lines.

#include <memory>

#include <pgpubsub/pgpubsub.hpp>

#include "options/options.hpp"
#include "options/query.hpp"
#include "options/subcommand.hpp"
#include "output/exit_status.hpp"
#include "output/report.hpp"

namespace pgpubsub::cli {

namespace {

struct inspection {
    std::string dsn;
    std::optional<std::string> channel;
    std::optional<std::string> subscription;
    std::optional<std::string> state;
    std::optional<std::string> filter;
    std::optional<long long> after;
    int limit = 100;
    bool json = false;
};

void add_common(CLI::App& app, inspection& s) {
    app.add_flag("--json", s.json, "a JSON object for each line, with all there is");
    add_dsn(app, s.dsn);
}

const std::string channels_and_subscriptions =
    " FROM pgpubsub.channels c LEFT JOIN pgpubsub.subscriptions s ON s.channel = c.name"
    " ORDER BY c.name, s.created_at, s.subscription";

const std::string channels_table =
    "SELECT c.name AS channel, CASE WHEN c.ordered THEN 'ordered ' ELSE '' END || c.kind AS kind, s.subscription,"
    " CASE WHEN s.paused THEN 'paused' WHEN NOT s.paused THEN 'active' END AS state,"
    " s.max_attempts AS attempts,"
    " s.backoff_base || ' x ' || s.backoff_factor || ', up to ' || s.backoff_max AS \"back-off\","
    " CASE WHEN s.history > interval '0' THEN s.history::text ELSE c.retention::text END AS keeps, s.filter,"
    " c.owner::text AS owner" +
    channels_and_subscriptions;

const std::string channels_json =
    "SELECT row_to_json(q) FROM (SELECT c.name AS channel, c.kind, c.ordered, c.owner::text AS owner, c.retention,"
    " c.created_at, s.subscription, s.paused, s.max_attempts, s.backoff_base, s.backoff_factor, s.backoff_max,"
    " s.backoff_jitter, s.history, s.filter" +
    channels_and_subscriptions + ") q";

int channels(const inspection& s) {
    auto server = connect(s.dsn);
    s.json ? print_json(server.query(channels_json)) : print_table(server.query(channels_table));
    return success;
}

// Puts a ~ in front of a figure that is an estimate.
std::string count_of(const std::string& column) {
    return " CASE WHEN '" + column + "' = ANY (estimated) THEN '~' ELSE '' END || " + column + " AS " + column;
}

// (A server with version 0.1.0 of the extension does not report pauses.)
const std::string stats_where =
    ", (pg_catalog.to_jsonb(c) ->> 'paused')::boolean AS paused FROM pgpubsub.stat_channels c WHERE $1::text IS NULL "
    "OR channel = $1 ORDER BY channel, subscription";

const std::string stats_table =
    "SELECT channel, subscription," + count_of("ready") + "," + count_of("delayed") + "," + count_of("in_flight") +
    "," + count_of("retrying") + "," + count_of("dead") +
    ", date_trunc('second', oldest_age) AS oldest, round(published_per_second::numeric, 1) AS \"published/s\","
    " round(processed_per_second::numeric, 1) AS \"processed/s\", round(failed_per_second::numeric, 1) AS "
    "\"failed/s\"" +
    stats_where;

const std::string stats_json =
    "SELECT row_to_json(q) FROM (SELECT channel, subscription, ready, delayed, in_flight, retrying, dead, oldest_age,"
    " published_per_second, processed_per_second, failed_per_second, estimated" +
    stats_where + ") q";

int stats(const inspection& s) {
    auto server = connect(s.dsn);
    const auto rows = server.query(s.json ? stats_json : stats_table, {s.channel});
    if (rows.rows() == 0 && s.channel)
        require_channel(server, *s.channel);
    s.json ? print_json(rows) : print_table(rows);
    return success;
}

// The stored notifications, in the order of ids, with the fields of a line of listen and the state.
const std::string peek_from = " FROM pgpubsub.peek($1, coalesce($2, 'default'), $3, $4, $5::bigint, $6::bigint)";

const std::string peek_table =
    "SELECT id, state, attempts, date_trunc('second', created_at) AS created_at, date_trunc('second', due_at) AS "
    "due_at, key,"
    " payload, last_error" +
    peek_from;

const std::string peek_json =
    "SELECT row_to_json(q) FROM (SELECT id, channel, subscription, state, payload, key, headers, created_at, "
    "deliver_at, due_at,"
    " priority, attempts, db_version, dedup_key, last_error" +
    peek_from + ") q";

int peek(const inspection& s) {
    auto server = connect(s.dsn);
    const auto rows =
        server.query(s.json ? peek_json : peek_table, {s.channel, s.subscription, s.state, s.filter, s.after, s.limit});
    s.json ? print_json(rows) : print_table(rows);
    if (rows.rows() == static_cast<std::size_t>(s.limit))
        report("the first " + std::to_string(s.limit) + " notifications; there may be more",
               "--limit N shows more, --after ID what comes behind.");
    return success;
}

const std::string dead_letters_where =
    " FROM pgpubsub.dead_letters WHERE channel = $1 AND ($2::text IS NULL OR subscription = $2) ORDER BY died_at, id "
    "LIMIT $3";

// Returns an expression for a column. Some dead letters have a content that can't be sent to anybody; without this
// expression, the whole list would fail because of them.
std::string if_readable(const std::string& column) {
    return "CASE WHEN last_error = 'too long to be read: as text it is longer than 1,000 MB' THEN NULL ELSE " + column +
           " END AS " + column;
}

const std::string dead_letters_table =
    "SELECT id, subscription, attempts, date_trunc('second', died_at) AS died_at, key, last_error, " +
    if_readable("payload") + dead_letters_where;

const std::string dead_letters_json = "SELECT row_to_json(q) FROM (SELECT id, channel, subscription, " +
                                      if_readable("payload") + ", key, " + if_readable("headers") +
                                      ", created_at, deliver_at, priority, attempts, db_version, died_at, last_error" +
                                      dead_letters_where + ") q";

int dead_letters(const inspection& s) {
    auto server = connect(s.dsn);
    const auto rows =
        server.query(s.json ? dead_letters_json : dead_letters_table, {s.channel, s.subscription, s.limit});
    if (rows.rows() == 0)
        require_channel(server, *s.channel);
    s.json ? print_json(rows) : print_table(rows);
    if (rows.rows() == static_cast<std::size_t>(s.limit))
        report("the oldest " + std::to_string(s.limit) + " dead letters; there may be more", "--limit N shows more.");
    return success;
}

}  // namespace

subcommand add_peek(CLI::App& app) {
    auto s = std::make_shared<inspection>();
    auto* command = app.add_subcommand("peek", "show what waits in a channel, without taking it, in the order of ids");
    add_channel(*command, *(s->channel = std::string()));
    command->add_option("--subscription", s->subscription, "of this subscription (default: \"default\")")
        ->type_name("NAME");
    command->add_option("--state", s->state, "only what is ready, delayed, leased or retrying")
        ->check(CLI::IsMember({"ready", "delayed", "leased", "retrying"}))
        ->type_name("STATE");
    add_json(*command, "--filter", s->filter, "only notifications whose payload contains this");
    command->add_option("--after", s->after, "only what has a greater id")->type_name("ID");
    command->add_option("--limit", s->limit, "at most so many")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str()
        ->type_name("N");
    add_common(*command, *s);
    return {command, [] {}, [s] { return peek(*s); }};
}

subcommand add_channels(CLI::App& app) {
    auto s = std::make_shared<inspection>();
    auto* command = app.add_subcommand("channels", "list channels and subscriptions with their settings");
    add_common(*command, *s);
    return {command, [] {}, [s] { return channels(*s); }};
}

subcommand add_stats(CLI::App& app) {
    auto s = std::make_shared<inspection>();
    auto* command = app.add_subcommand("stats", "show how much waits, fails and is processed; ~ marks an estimate");
    command->add_option("channel", s->channel, "only this channel")->type_name("CHANNEL");
    add_common(*command, *s);
    return {command, [] {}, [s] { return stats(*s); }};
}

subcommand add_dead_letters(CLI::App& app) {
    auto s = std::make_shared<inspection>();
    auto* command = app.add_subcommand("dead-letters", "list the dead letters of a channel, the oldest first");
    command->add_option("channel", s->channel, "an existing channel")->required()->type_name("CHANNEL");
    command->add_option("--subscription", s->subscription, "only of this subscription (default: of all)")
        ->type_name("NAME");
    command->add_option("--limit", s->limit, "at most so many")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str()
        ->type_name("N");
    add_common(*command, *s);
    return {command, [] {}, [s] { return dead_letters(*s); }};
}

}  // namespace pgpubsub::cli
