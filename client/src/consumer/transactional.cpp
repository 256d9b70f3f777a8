// Guarantees that a notification is removed if and only if its handler's work is committed with it, and that a failing
// handler harms neither the work of the others in its batch nor their delivery.
//
// Steps: BEGIN and take in one round trip; run each handler behind its savepoint (transaction.cpp); after a failure,
// roll back to the savepoint and put the notification back with the error; COMMIT. On an ordered channel, a batch may
// hold a run of one key. If one of the run fails, the server also puts back those behind it, and their handlers are not
// run.
//
// If the transaction dies as a whole (the connection, a serialization failure, a deferred constraint at COMMIT),
// everything is back in the queue by itself. The notifications of that batch are then taken one at a time, so that only
// the one at fault fails. After its failure there is no transaction left to record its error: the next transaction
// claims it by itself, without running its handler, and nacks it with the error.

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "api/transaction_impl.hpp"
#include "base/one_line.hpp"
#include "base/sqlstate.hpp"
#include "consumer/consumer_loop.hpp"

namespace pgpubsub::inline v0 {

namespace {

// Returns how often a lone notification may lose its transaction before it counts as failed. A lost connection is
// mostly not its fault, a serialization failure hardly ever; any other error is.
int allowed_deaths(const error& e) {
    if (e.connection_lost())
        return 2;
    return e.retryable() ? 5 : 1;
}

void transaction_died(consumer_loop& loop, channel_state& c, const std::vector<notification>& batch, const error& e) {
    if (batch.size() > 1) {
        c.alone = static_cast<int>(batch.size());
        loop.log.warning("{}: the transaction of {} notifications failed ({}); they are tried again one at a time",
                         c.label, batch.size(), e.what());
        return;
    }
    // A commit in doubt counts too: if it succeeded after all, the notification is not found when its failure is to be
    // recorded.
    auto& s = c.last_suspect;
    if (s.id != batch.front().id)
        s = {.id = batch.front().id, .deaths = 0, .guilty = false, .failure = {}};
    ++s.deaths;
    s.failure = e.what();
    if (e.sqlstate() == sqlstate::idle_in_transaction)
        s.failure += " (a handler that takes longer than idle_in_transaction_session_timeout needs leased mode)";
    s.guilty = s.deaths >= allowed_deaths(e);
    loop.log.warning("{}: the transaction of notification {} failed ({})", c.label, s.id, s.failure);
}

// Puts the notification at fault aside with its error. The others that the claim brought go back untried.
void record_failure(consumer_loop& loop, channel_state& c) {
    const auto suspected = std::exchange(c.last_suspect, {});
    auto results = loop.server->pipeline({{"BEGIN"}, loop.claim_for(c.from, std::max(c.batch, 10))});
    std::vector<statement> ends;
    std::vector<std::string> others;
    for (auto& row : read_claimed(results.back().get())) {
        if (row.what.id == suspected.id)
            ends.push_back(nack_statement(row.receipt, {.text = suspected.failure}));
        else
            others.push_back(std::move(row.receipt));
    }
    const bool found = !ends.empty();
    if (!others.empty())
        ends.push_back(release_statement(others));
    if (!ends.empty())
        loop.server->pipeline(ends);
    loop.server->commit();
    if (found)
        ++loop.failures;
    loop.log.warning("{}: notification {} failed: {}{}", c.label, suspected.id, excerpt(suspected.failure),
                     found ? "" : " (not recorded: it is no longer in the queue, or another consumer has it)");
}

// Returns how many notifications went back because the handler failed; 0 if it succeeded.
std::int64_t run_handler(consumer_loop& loop, channel_state& c, const transactional_handler& handler,
                         const notification& n, transaction::impl& state) {
    transaction tx(state);
    state.begin_handler();
    bool serialization_failure = false;
    std::string lost_by(sqlstate::connection_lost);
    auto failure = failure_of([&] {
        try {
            handler(n, tx);
        } catch (const error& e) {
            serialization_failure = e.sqlstate() == sqlstate::serialization_failure && !state.first_error().empty();
            if (e.connection_lost() && !e.sqlstate().empty())
                lost_by = e.sqlstate();
            throw;
        }
    });
    state.end_handler();

    if (!loop.server->alive())
        throw error(failure ? failure->text : "the connection to the server was lost",
                    {.sqlstate = lost_by, .connection_lost = true});
    if (serialization_failure)  // no savepoint helps: the whole transaction must be run again
        throw error(failure->text, {.sqlstate = std::string(sqlstate::serialization_failure)});
    const auto status = loop.server->transaction_status();
    if (status == PQTRANS_IDLE)
        throw error("the handler ended the transaction of its notification",
                    {.sqlstate = std::string(sqlstate::transaction_control)});
    if (!failure && status == PQTRANS_INERROR)
        failure = handler_failure{.text = "the handler caught an SQL error and left its transaction aborted: " +
                                          state.first_error()};
    if (!failure)
        return 0;

    const auto put_back = state.fail(n.id, *failure);
    loop.handler_failed(c, n, *failure);
    return put_back;
}

// Runs the handlers of a batch. Returns false if a second request to stop came meanwhile.
bool run_handlers(consumer_loop& loop, channel_state& c, const transactional_handler& handler,
                  const std::vector<notification>& batch) {
    transaction::impl state(*loop.server, loop.options.listen);
    std::set<std::string> held_up;  // the keys whose rest of this batch is back in the queue
    for (auto n = batch.begin(); n != batch.end(); ++n) {
        if (n != batch.begin() && loop.stops() > 1)
            return false;
        if (n->key && held_up.contains(*n->key))
            continue;
        const auto put_back = run_handler(loop, c, handler, *n, state);
        if (put_back <= 1)
            continue;
        const auto behind =
            std::count_if(n + 1, batch.end(), [&](const notification& other) { return other.key == n->key; });
        if (!n->key || put_back != 1 + behind)  // unknown which ones; none may be both done and put back
            throw error(
                fmt::format("{} notifications were put back with number {}, and not {}", put_back - 1, n->id, behind));
        loop.log.debug("{}: {} notifications wait behind number {}, which has the same key", c.label, behind, n->id);
        held_up.insert(*n->key);
    }
    state.restore_settings();
    return true;
}

}  // namespace

batch_outcome run_transactional_batch(consumer_loop& loop, channel_state& c, const transactional_handler& handler) {
    if (c.last_suspect.guilty) {
        try {
            record_failure(loop, c);
        } catch (const error&) {
            loop.server->rollback();
            throw;
        }
    }

    const auto begun = clock::now();
    const int asked = next_asked(c);
    std::vector<notification> batch;
    try {
        const auto results = loop.server->pipeline({{"BEGIN"}, take_statement(c.from, asked)});
        batch = read_taken(results.back().get());
        if (!run_handlers(loop, c, handler, batch)) {
            loop.log.info("{}: stopping at once, {} notifications go back", c.label, batch.size());
            loop.server->rollback();
            return {asked, asked};
        }
        loop.server->commit();
    } catch (const stop_consuming&) {
        loop.server->rollback();
        throw;
    } catch (const pause_consuming&) {
        loop.server->rollback();
        throw;
    } catch (const error& e) {
        loop.server->rollback();
        if (batch.empty() && sqlstate::is_unreadable(e.sqlstate()))
            throw unreadable{asked, e};
        if (batch.empty())
            throw;  // the take itself failed
        transaction_died(loop, c, batch, e);
        if (!loop.server->alive())
            throw;
        return {asked, asked};
    }
    const batch_outcome outcome{asked, static_cast<int>(batch.size())};
    if (c.alone == 0)
        loop.adapt(c, outcome, clock::now() - begun);
    one_less_alone(c, outcome.received);
    return outcome;
}

}  // namespace pgpubsub::inline v0
