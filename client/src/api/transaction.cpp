// Guarantees that a handler's SQL is undone together when the handler fails, and that no handler ends
// the transaction that carries the notifications of its whole batch.
//
// Steps of a handler's first statement, in one round trip: release the savepoint of the previous handler, set its own
// savepoint, run the statement. A handler that runs no SQL costs no savepoint.

#include <pgpubsub/transaction.hpp>

#include <fmt/format.h>

#include "api/transaction_impl.hpp"
#include "base/sqlstate.hpp"
#include "pq/result_impl.hpp"
#include "pq/sql_text.hpp"

namespace pgpubsub::inline v0 {

namespace {

constexpr std::string_view savepoint_name = "pgpubsub_handler";
constexpr const char* set_savepoint = "SAVEPOINT pgpubsub_handler";
constexpr const char* release_savepoint = "RELEASE SAVEPOINT pgpubsub_handler";
constexpr const char* undo_to_savepoint = "ROLLBACK TO SAVEPOINT pgpubsub_handler";

}  // namespace

pg_result transaction::impl::run(std::string_view sql, const params& parameters) {
    if (!in_handler_)
        throw error("the transaction was used after its handler had returned",
                    {.sqlstate = std::string(sqlstate::transaction_control)});
    if (controls_transaction(sql))
        throw error("a handler can't begin or end the transaction of its notification",
                    {.sqlstate = std::string(sqlstate::transaction_control),
                     .hint = "Return to commit, throw to roll back; SAVEPOINT and ROLLBACK TO are allowed."});
    if (is_about_savepoint(sql, savepoint_name))
        throw error(fmt::format("the savepoint {} belongs to the library", savepoint_name),
                    {.sqlstate = std::string(sqlstate::transaction_control), .hint = "Give yours another name."});
    refuse_zero_bytes(parameters);  // before the savepoint is noted as set
    try {
        const bool changes = changes_settings(sql);
        if (touched_) {
            settings_changed_ = settings_changed_ || changes;
            return server_.exec(std::string(sql), parameters);
        }
        std::vector<statement> statements;
        add_restoration(statements);
        settings_changed_ = changes;
        if (savepoint_open_)
            statements.push_back({release_savepoint});
        statements.push_back({set_savepoint});
        statements.push_back({std::string(sql), parameters});
        touched_ = savepoint_open_ = true;
        return std::move(server_.pipeline(statements).back());
    } catch (const error& e) {
        if (first_error_.empty())
            first_error_ = e.what();
        throw;
    }
}

// Undoes the settings of the previous handlers. A role, a search_path or a time limit that one handler sets would
// otherwise hold for the next handler, and for the statements by which the library takes and puts back. If the
// savepoint of that handler has been rolled back, this repeats the undoing.
void transaction::impl::add_restoration(std::vector<statement>& statements) {
    if (!settings_changed_)
        return;
    for (const char* sql : {"RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"})
        statements.push_back({sql});
    if (listens_)
        statements.push_back({stay_connected});
}

void transaction::impl::restore_settings() {
    std::vector<statement> statements;
    add_restoration(statements);
    settings_changed_ = false;
    if (!statements.empty())
        server_.pipeline(statements);
}

std::int64_t transaction::impl::fail(std::int64_t id, const handler_failure& failure) {
    std::vector<statement> statements;
    if (touched_)
        statements.push_back({undo_to_savepoint});
    add_restoration(statements);
    settings_changed_ = false;
    statements.push_back(requeue_statement(id, failure));
    const auto results = server_.pipeline(statements);
    const auto put_back = read_number(results.back().get());
    if (put_back < 1)
        throw error("the notification could not be put back", {.sqlstate = std::string(sqlstate::undefined_object)});
    return put_back;
}

transaction::transaction(impl& state) noexcept : impl_(&state) {}

std::uint64_t transaction::execute(std::string_view sql, const params& parameters) {
    return affected_rows(impl_->run(sql, parameters).get());
}

result transaction::query(std::string_view sql, const params& parameters) {
    return make_result(impl_->run(sql, parameters));
}

std::int64_t transaction::publish(const message& what) {
    const statement call = publish_statement(what);
    return read_number(impl_->run(call.sql, call.parameters).get());
}

std::vector<std::int64_t> transaction::publish_batch(const message_batch& what) {
    const statement call = publish_batch_statement(what);
    return read_numbers(impl_->run(call.sql, call.parameters).get());
}

}  // namespace pgpubsub::inline v0
