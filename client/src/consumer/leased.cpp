// Guarantees:
// - A claimed notification is acked only after its handler returned.
// - Its lease is extended (by the listener's thread) from the claim until that ack has been sent.
// - No notification that was claimed and not begun stays hidden when the consumer stops.
//
// Steps: claim; run the handlers one by one. Acks and nacks are gathered and sent together, at the end of the batch and
// when a tenth of a second has passed since the first of them (so that a crash repeats little). While batches are full
// and quick, the next claim travels with the acks, in the same transaction. If the connection is lost meanwhile, the
// work goes on, and the acks are sent on the new connection. Acks are idempotent, so an ack in doubt is sent again. An
// ack that the server refuses because it is busy (a lock that is not free, a time limit, no resources) is sent again
// too: the leases are extended until the server accepts the acks.

#include <array>
#include <utility>

#include "base/backoff.hpp"
#include "base/poll.hpp"
#include "base/random.hpp"
#include "base/sqlstate.hpp"
#include "consumer/consumer_loop.hpp"

namespace pgpubsub::inline v0 {

namespace {

constexpr milliseconds gather_for{100};
constexpr milliseconds turn{250};                                  // after it, the other channels have their turn
constexpr milliseconds shortest_pause{100}, longest_pause{2000};   // between acks that are refused
constexpr milliseconds patience_at_end = std::chrono::seconds(5);  // with refusals, when the consumer is about to end

class leased_batches {
public:
    leased_batches(consumer_loop& loop, channel_state& c, const leased_handler& handler)
        : w_(loop), c_(c), handler_(handler) {}

    ~leased_batches() {  // whatever the end was, its leases are no longer extended
        for (const auto& row : batch_)
            w_.shared.leases.remove(row.receipt);
    }

    batch_outcome run() {
        const auto begun = clock::now();
        int asked = next_asked(c_);
        bool any = false;
        claim(asked);
        for (auto batch_begun = begun;; batch_begun = clock::now()) {
            run_handlers();
            const int received = static_cast<int>(batch_.size());
            const bool last = received == 0 || w_.stops() > 0 || clock::now() - begun >= turn;
            if (last)
                flush();
            if (c_.alone == 0)
                w_.adapt(c_, {asked, received}, clock::now() - batch_begun);
            one_less_alone(c_, received);
            any = any || received > 0;
            if (last)
                return {asked, received, any};
            asked = next_asked(c_);
            flush_and_claim(asked);
        }
    }

private:
    void claim(int asked) try {
        batch_.clear();
        const auto call = w_.claim_for(c_.from, asked);
        batch_ = read_claimed(w_.server->exec(call.sql, call.parameters).get());
        for (const auto& row : batch_)
            w_.shared.leases.add(row.receipt);
    } catch (const error& e) {
        if (sqlstate::is_unreadable(e.sqlstate()))
            throw unreadable{asked, e};
        throw;
    }

    void run_handlers() {
        for (std::size_t i = 0; i < batch_.size(); ++i) {
            if (i > 0 && w_.stops() > 1) {
                w_.log.info("{}: stopping at once, {} notifications go back", c_.label, batch_.size() - i);
                return release_from(i);
            }
            run_handler(i);
        }
    }

    void run_handler(std::size_t i) {
        const auto& n = batch_[i].what;
        const auto& receipt = batch_[i].receipt;
        std::optional<handler_failure> failure;
        try {
            failure = failure_of([&] { handler_(n); });
        } catch (const stop_consuming&) {
            release_from(i);
            is_ending_ = true;
            flush();
            throw;
        } catch (const pause_consuming&) {
            release_from(i);
            flush();
            throw;
        }
        if (acks_.empty() && nacks_.empty())
            gathering_since_ = clock::now();
        if (failure) {
            w_.handler_failed(c_, n, *failure);
            nacks_.emplace_back(receipt, nack_statement(receipt, *failure));
        } else {
            acks_.push_back(receipt);
        }
        if (clock::now() - gathering_since_ >= gather_for)
            flush();
    }

    void release_from(std::size_t first) {
        for (std::size_t i = first; i < batch_.size(); ++i)
            releases_.push_back(batch_[i].receipt);
    }

    void flush_and_claim(int asked) {
        auto statements = gathered();
        statements.push_back(w_.claim_for(c_.from, asked));
        try {
            auto results = w_.server->pipeline(statements);
            batch_ = read_claimed(results.back().get());
            for (const auto& row : batch_)
                w_.shared.leases.add(row.receipt);
            results.pop_back();
            settle(results, false);
        } catch (const error& e) {  // whichever failed, do one after the other
            flush(e.connection_lost());
            claim(asked);
        }
    }

    // Sends the gathered acks and nacks. Returns only when they are done, or can't be done.
    void flush(bool in_doubt = false) try {
        backoff pauses(shortest_pause, longest_pause);
        std::optional<clock::time_point> give_up_at;
        while (!acks_.empty() || !nacks_.empty() || !releases_.empty()) {
            if (!w_.server || !w_.server->alive())
                w_.reconnect();
            try {
                settle(w_.server->pipeline(gathered()), in_doubt);
            } catch (const error& e) {
                if (!w_.server->alive()) {
                    in_doubt = true;
                    w_.lost(fmt::format("{}; the acks of {} are sent again", e.what(), c_.label));
                    continue;
                }
                if (is_ending() && !give_up_at)
                    give_up_at = clock::now() + patience_at_end;
                const bool enough = w_.stops() > 1 || (give_up_at && clock::now() >= *give_up_at);
                if (enough || !w_.may_send_again(e))
                    throw;
                pause(pauses, e, give_up_at.value_or(clock::time_point::max()));
            }
        }
    } catch (const error& e) {
        given_up(e.what());
        throw;
    } catch (...) {
        given_up("the consumer ends");
        throw;
    }

    // Returns whether this is the last flush, for which nobody wants to wait long.
    bool is_ending() { return is_ending_ || w_.options.drain || w_.stops() > 0; }

    // Pauses after a refusal. A first stop does not end the pause: finished work must be acked.
    void pause(backoff& pauses, const error& refusal, clock::time_point limit) {
        const auto delay = pauses.next(random_unit());
        w_.log.write(worth_a_warning(pauses.failures()) ? log_level::warning : log_level::info,
                     fmt::format("{}: {} acks were refused ({}) and are sent again in {:.1f} s", c_.label, unsent(),
                                 refusal.what(), std::chrono::duration<double>(delay).count()));
        const auto until = std::min(clock::now() + delay, limit);
        std::array<pollfd, 1> posted{{{w_.in.fd(), POLLIN, 0}}};
        const int stops = w_.stops();
        while (poll_until(posted, until))
            if (w_.stops() > stops)
                return;
    }

    std::size_t unsent() const { return acks_.size() + nacks_.size(); }

    void given_up(std::string_view why) {
        if (unsent() > 0)
            w_.log.warning("{}: {} acks could not be sent ({}); those notifications come again when their leases end",
                           c_.label, unsent(), why);
        forget();
    }

    std::vector<statement> gathered() const {
        std::vector<statement> statements;
        if (!acks_.empty())
            statements.push_back(ack_statement(acks_));
        for (const auto& [receipt, call] : nacks_)
            statements.push_back(call);
        if (!releases_.empty())
            statements.push_back(release_statement(releases_));
        return statements;
    }

    void settle(const std::vector<pg_result>& results, bool in_doubt) {
        std::int64_t ended = 0;
        for (const auto& result : results)
            ended += read_number(result.get());
        const auto expected = static_cast<std::int64_t>(acks_.size() + nacks_.size() + releases_.size());
        if (ended < expected && !in_doubt)
            w_.log.warning("{}: {} of {} leases were lost before their ack; another consumer may repeat that work",
                           c_.label, expected - ended, expected);
        forget();
    }

    void forget() {
        for (const auto& receipt : acks_)
            w_.shared.leases.remove(receipt);
        for (const auto& [receipt, call] : nacks_)
            w_.shared.leases.remove(receipt);
        for (const auto& receipt : releases_)
            w_.shared.leases.remove(receipt);
        acks_.clear();
        nacks_.clear();
        releases_.clear();
    }

    consumer_loop& w_;
    channel_state& c_;
    const leased_handler& handler_;
    std::vector<claimed> batch_;
    std::vector<std::string> acks_;
    std::vector<std::pair<std::string, statement>> nacks_;
    std::vector<std::string> releases_;
    clock::time_point gathering_since_{};
    bool is_ending_ = false;
};

}  // namespace

batch_outcome run_leased_batch(consumer_loop& loop, channel_state& c, const leased_handler& handler) {
    return leased_batches(loop, c, handler).run();
}

}  // namespace pgpubsub::inline v0
