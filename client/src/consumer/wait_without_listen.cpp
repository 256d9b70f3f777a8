// Waits without LISTEN. Guarantees that work which arrives between two looks ends the wait: the procedure itself looks
// for work before it waits, so nothing is lost between a look and the wait that follows.
//
// Steps: when no channel is left to look at, CALL pgpubsub.wait() on the working connection, until the next due time or
// poll; then look at the channel that it names. A call is for one subscription; several subscriptions take turns. An
// event that ends the consumer, or wakes it, cancels the call.
//
// Work that the procedure reports need not be work for us: a filter may leave it to other consumers, or an open
// transaction of another consumer has it. Therefore waits in vain are followed by growing pauses.

#include <algorithm>
#include <iterator>
#include <map>

#include "base/sqlstate.hpp"
#include "base/waiting.hpp"
#include "consumer/consumer_loop.hpp"

namespace pgpubsub::inline v0 {

namespace {

constexpr milliseconds shortest_wait{50};  // a shorter wait is not worth a statement
constexpr milliseconds turn = std::chrono::seconds(1);
constexpr milliseconds grace = std::chrono::seconds(60);  // a pooler may be short of connections

}  // namespace

void consumer_loop::wait(clock::time_point until) {
    if (waits_.found)
        waits_.in_vain = 0;
    else if (waits_.hinted)
        ++waits_.in_vain;
    waits_.hinted = waits_.found = false;

    std::map<std::string, std::vector<channel_state*>> by_subscription;
    for (auto& c : channels_)
        if (!c.missing)
            by_subscription[c.from.subscription].push_back(&c);  // waiting for a missing channel is an error

    // Otherwise a wait proves the connection: a cause that ends each wait at once (statement_timeout) does not end a
    // look.
    if (by_subscription.empty())
        patience_.proved();
    if (by_subscription.empty() || until - clock::now() < shortest_wait)
        return pause_until(until);
    if (const auto pause = pause_after_vain_waits(waits_.in_vain); pause.count() > 0) {
        const auto end = clock::now() + pause;
        pause_until(std::min(until, end));
        if (clock::now() < end)
            return;  // something was posted, or is due
    }

    const auto& [subscription, group] =
        *std::next(by_subscription.begin(), static_cast<std::ptrdiff_t>(waits_.turn++ % by_subscription.size()));
    std::vector<std::string> names;
    for (const auto* c : group)
        names.push_back(c->from.channel);
    auto time_limit = std::clamp(std::chrono::ceil<milliseconds>(until - clock::now()), shortest_wait,
                                 milliseconds(std::chrono::hours(1)));
    if (by_subscription.size() > 1)
        time_limit = std::min(time_limit, turn);

    try {
        if (!server || !server->alive())
            return reconnect();
        const auto call = wait_statement(names, time_limit, subscription);
        const auto reply = server->exec_unless_posted(call.sql, call.parameters, time_limit + grace, in);
        if (!reply)
            return;
        patience_.proved();
        const auto channel = read_text(reply.get());
        if (!channel) {
            waits_.in_vain = 0;  // it did wait
            return;
        }
        for (auto* c : group)
            c->ready = c->ready || c->from.channel == *channel;
        waits_.hinted = true;
    } catch (const error& e) {
        if (!server || !server->alive()) {
            return reconnect_after(e.what());
        }
        if (e.sqlstate() != sqlstate::undefined_object) {
            if (sqlstate::is_permanent(e.sqlstate()))
                throw with_privilege_hint(e, *server, names.front(), "consume");
            const bool is_cut_short = e.sqlstate() == sqlstate::cancelled;
            return patience_.pause(
                std::string(e.what()) +
                (is_cut_short ? " (a wait lasts for the poll interval: statement_timeout must be longer)" : ""));
        }
        for (auto* c : group)
            c->ready = c->ask_first = true;  // asking shows which of the channels are missing
        waits_.hinted = true;
    }
}

}  // namespace pgpubsub::inline v0
