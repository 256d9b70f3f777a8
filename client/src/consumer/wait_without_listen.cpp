// Waiting without LISTEN. Guarantees that what comes while nothing is looked at ends the wait: the procedure looks for
// work itself before it waits, so nothing is lost between a look and the wait that follows.
//
// Steps: when no channel is left to look at, CALL pgpubsub.wait() on the working connection, until the next due time or
// poll; the channel that it names is looked at. A call is for one subscription; several take turns. What ends the
// consumer, or wakes it, cancels the call.
//
// What the procedure calls work need not be work for us: a filter may leave it to others, or somebody's open
// transaction has it. So waits that were in vain are followed by pauses, which grow.

#include <algorithm>
#include <iterator>
#include <map>

#include "base/sqlstate.hpp"
#include "base/waiting.hpp"
#include "consumer/consumer_loop.hpp"

namespace pgpubsub::inline v0 {

namespace {

constexpr milliseconds shortest_wait{50};  // less is not worth a statement
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
            by_subscription[c.from.subscription].push_back(&c);  // a wait for what does not exist is an error

    // Else it is a wait that proves the connection: what ends each of them at once (statement_timeout) does not end a
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
            c->ready = c->ask_first = true;  // that finds out which of them it is
        waits_.hinted = true;
    }
}

}  // namespace pgpubsub::inline v0
