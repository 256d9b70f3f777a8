// Guarantees that all SQL of the client is here, that every name in it is qualified (so that the user's search_path has
// no effect), and that values travel as parameters only.
//
// Timestamps are fetched by to_json, which gives ISO 8601 whatever DateStyle is set to.

#include "protocol/sql_calls.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/quoting.hpp"
#include "base/sqlstate.hpp"
#include "base/text.hpp"
#include "base/timestamp.hpp"
#include "base/version_number.hpp"
#include "base/waiting.hpp"

namespace pgpubsub::inline v0 {

namespace {

// The oldest extension that has everything this client calls. Raise it only if the client calls more.
constexpr std::string_view needed_version = "0.1.0";

#define PGPUBSUB_COLUMNS                                                  \
    "id, channel, payload, key, headers, pg_catalog.to_json(created_at)," \
    " pg_catalog.to_json(deliver_at), priority, attempts, db_version"

std::string interval(milliseconds time) { return fmt::format("{} milliseconds", time.count()); }

std::optional<std::string> interval(std::optional<milliseconds> time) {
    return time ? std::optional(interval(*time)) : std::nullopt;
}

std::string_view text_at(const PGresult* rows, int row, int column) {
    return value_at(rows, row, column).value_or(std::string_view());
}

template <typename T>
T number_at(const PGresult* rows, int row, int column) {
    T number = 0;
    const auto text = text_at(rows, row, column);
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::optional<std::string> optional_at(const PGresult* rows, int row, int column) {
    const auto text = value_at(rows, row, column);
    return text ? std::optional<std::string>(*text) : std::nullopt;
}

std::string without_quotes(std::string_view json) {
    if (json.size() >= 2 && json.front() == '"')
        json = json.substr(1, json.size() - 2);
    return std::string(json);
}

notification read_notification(const PGresult* rows, int row) {
    notification n;
    n.id = number_at<std::int64_t>(rows, row, 0);
    n.channel = text_at(rows, row, 1);
    n.payload = text_at(rows, row, 2);
    n.key = optional_at(rows, row, 3);
    n.headers = optional_at(rows, row, 4);
    n.created_at = without_quotes(text_at(rows, row, 5));
    if (const auto time = value_at(rows, row, 6))
        n.deliver_at = without_quotes(*time);
    n.priority = number_at<int>(rows, row, 7);
    n.attempts = number_at<int>(rows, row, 8);
    if (value_at(rows, row, 9))
        n.db_version = number_at<int>(rows, row, 9);
    n.idempotency_key = idempotency_key(n.id, n.created_at);
    return n;
}

}  // namespace

statement take_statement(const queue& from, int max_count) {
    return {"SELECT " PGPUBSUB_COLUMNS " FROM pgpubsub.take($1, $2, $3, $4)",
            {from.channel, max_count, from.subscription, from.filter}};
}

statement requeue_statement(std::int64_t id, const handler_failure& failure) {
    return {"SELECT pgpubsub.requeue($1, $2, $3, $4)",
            {fmt::format("{{{}}}", id), interval(failure.delay), storable_error(failure.text), failure.reject}};
}

// The arguments of a function are evaluated before it runs. So a setting that an argument makes holds during the call,
// for this transaction.
#define PGPUBSUB_LEASE_BY_TIME(argument) \
    "CASE WHEN pg_catalog.set_config('pgpubsub.lease_scope', 'time', true) IS NOT NULL THEN " argument " END"

statement claim_statement(const queue& from, int max_count, milliseconds lease, lease_end end) {
    constexpr const char* by_setting = "SELECT " PGPUBSUB_COLUMNS ", receipt FROM pgpubsub.claim($1, $2, $3, $4, $5)";
    constexpr const char* by_time =
        "SELECT " PGPUBSUB_COLUMNS
        ", receipt FROM pgpubsub.claim($1, " PGPUBSUB_LEASE_BY_TIME("$2::pg_catalog.int4") ", $3, $4, $5)";
    return {end == lease_end::time ? by_time : by_setting,
            {from.channel, max_count, interval(lease), from.subscription, from.filter}};
}

statement blind_claim_statement(const queue& from, milliseconds lease) {
    return {"SELECT receipt, id, attempts FROM pgpubsub.claim($1, 1, $2, $3, $4)",
            {from.channel, interval(lease), from.subscription, from.filter}};
}

statement ack_statement(const std::vector<std::string>& receipts) {
    return {"SELECT pgpubsub.ack($1)", {array_literal(receipts)}};
}

statement nack_statement(const std::string& receipt, const handler_failure& failure) {
    return {"SELECT pgpubsub.nack($1, $2, $3, $4)",
            {array_literal(std::array{std::string_view(receipt)}), interval(failure.delay),
             storable_error(failure.text), failure.reject}};
}

statement release_statement(const std::vector<std::string>& receipts) {
    return {"SELECT pgpubsub.release($1)", {array_literal(receipts)}};
}

statement extend_statement(const std::vector<std::string>& receipts, milliseconds lease, lease_end end) {
    constexpr const char* by_setting = "SELECT pgpubsub.extend($1, $2)";
    constexpr const char* by_time = "SELECT pgpubsub.extend($1, " PGPUBSUB_LEASE_BY_TIME("$2::pg_catalog.interval") ")";
    return {end == lease_end::time ? by_time : by_setting, {array_literal(receipts), interval(lease)}};
}

statement recover_statement(const std::optional<std::string>& channel, int chunk_size) {
    return {"CALL pgpubsub.recover($1, $2)", {channel, chunk_size}};
}

statement publish_statement(const message& what) {
    return {
        "SELECT pgpubsub.publish(channel => $1, payload => $2, key => $3, headers => $4, deliver_at => $5,"
        " priority => $6, dedup_key => $7, replace => $8)",
        {what.channel, what.payload, what.key, what.headers, what.deliver_at, what.priority, what.dedup_key,
         what.replace_waiting}};
}

statement publish_batch_statement(const message_batch& what) {
    const auto null_or_array = [](const std::vector<std::optional<std::string>>& elements) {
        return elements.empty() ? std::nullopt : std::optional(array_literal(elements));
    };
    return {
        "SELECT * FROM pg_catalog.unnest(pgpubsub.publish_batch(channel => $1, payloads => $2, keys => $3,"
        " headers => $4, deliver_at => $5, priority => $6))",
        {what.channel, array_literal(what.payloads), null_or_array(what.keys), null_or_array(what.headers),
         what.deliver_at, what.priority}};
}

// Not computed as the difference of two timestamps: that is an error if one of them is infinite.
#define PGPUBSUB_SECONDS_TO_DUE                                                           \
    "pg_catalog.date_part('epoch', pgpubsub.next_due($1, $2, $3)) OPERATOR(pg_catalog.-)" \
    " pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())"

statement next_due_statement(const queue& from) {
    return {"SELECT " PGPUBSUB_SECONDS_TO_DUE, {from.channel, from.subscription, from.filter}};
}

statement next_due_or_paused_statement(const queue& from) {
    return {"SELECT " PGPUBSUB_SECONDS_TO_DUE
            ", (SELECT s.paused FROM pgpubsub.subscriptions s"
            " WHERE s.channel OPERATOR(pg_catalog.=) $1 AND s.subscription OPERATOR(pg_catalog.=) $2)",
            {from.channel, from.subscription, from.filter}};
}

statement kind_statement(const std::string& channel) {
    return {
        "SELECT kind FROM pgpubsub.channels WHERE name OPERATOR(pg_catalog.=) $1"
        " AND pgpubsub.has_channel_privilege(name, 'consume')",
        {channel}};
}

statement check_json_statement(const std::string& text) { return {"SELECT $1::pg_catalog.jsonb", {text}}; }

statement wait_statement(const std::vector<std::string>& channels, milliseconds time_limit,
                         const std::string& subscription) {
    return {"CALL pgpubsub.wait($1, $2, $3)", {array_literal(channels), interval(time_limit), subscription}};
}

statement read_broadcast_statement(const std::string& channel, std::int64_t id) {
    return {"SELECT pgpubsub.read_broadcast($1, $2)", {channel, id}};
}

std::vector<notification> read_taken(const PGresult* rows) {
    std::vector<notification> taken;
    taken.reserve(static_cast<std::size_t>(PQntuples(rows)));
    for (int row = 0; row < PQntuples(rows); ++row)
        taken.push_back(read_notification(rows, row));
    return taken;
}

std::vector<claimed> read_claimed(const PGresult* rows) {
    std::vector<claimed> leased;
    leased.reserve(static_cast<std::size_t>(PQntuples(rows)));
    for (int row = 0; row < PQntuples(rows); ++row)
        leased.push_back({read_notification(rows, row), std::string(text_at(rows, row, 10))});
    return leased;
}

std::int64_t read_number(const PGresult* rows) { return PQntuples(rows) > 0 ? number_at<std::int64_t>(rows, 0, 0) : 0; }

std::vector<std::int64_t> read_numbers(const PGresult* rows) {
    std::vector<std::int64_t> numbers;
    for (int row = 0; row < PQntuples(rows); ++row)
        numbers.push_back(number_at<std::int64_t>(rows, row, 0));
    return numbers;
}

std::optional<std::string> read_text(const PGresult* rows) {
    return PQntuples(rows) > 0 ? optional_at(rows, 0, 0) : std::nullopt;
}

std::optional<milliseconds> read_next_due(const PGresult* rows) {
    if (PQntuples(rows) == 0)
        return std::nullopt;
    const auto seconds = value_at(rows, 0, 0);
    return seconds ? parse_due(*seconds) : std::nullopt;
}

bool read_paused(const PGresult* rows) { return PQntuples(rows) > 0 && text_at(rows, 0, 1) == "t"; }

server_process read_server_process(const PGresult* rows) {
    if (PQntuples(rows) == 0)
        return {};
    return {.pid = number_at<int>(rows, 0, 0), .server_started = number_at<double>(rows, 0, 1)};
}

server_process check_extension(connection& server) {
    const pg_result found = server.exec(
        "SELECT (SELECT extversion FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'pgpubsub'),"
        " pg_catalog.current_database(), pg_catalog.pg_backend_pid(),"
        " pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())");
    const std::string database(text_at(found.get(), 0, 1));
    const auto installed = value_at(found.get(), 0, 0);
    if (!installed)
        throw error(fmt::format("the extension pgpubsub is not installed in the database \"{}\"", database),
                    {.sqlstate = std::string(sqlstate::feature_missing),
                     .hint = "Run CREATE EXTENSION pgpubsub in it, as a superuser."});
    if (compare_versions(*installed, needed_version) < 0)
        throw error(fmt::format("the extension pgpubsub in the database \"{}\" has version {}, and this client needs "
                                "{} or later",
                                database, *installed, needed_version),
                    {.sqlstate = std::string(sqlstate::feature_missing),
                     .hint = "Install the newer extension on the server, then run ALTER EXTENSION pgpubsub UPDATE in "
                             "the database."});
    return {.pid = number_at<int>(found.get(), 0, 2), .server_started = number_at<double>(found.get(), 0, 3)};
}

error with_privilege_hint(const error& e, const connection& server, std::string_view channel,
                          std::string_view privilege) {
    if (e.sqlstate() != sqlstate::no_privilege || !e.hint().empty())
        return e;
    return error(e.what(),
                 {.sqlstate = e.sqlstate(),
                  .hint = fmt::format("The owner of the channel gives the right with: SELECT "
                                      "pgpubsub.grant_channel({}, {}, '{}');",
                                      quote_literal(channel), quote_literal(quote_role(server.user())), privilege)});
}

}  // namespace pgpubsub::inline v0
