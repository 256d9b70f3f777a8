// Guarantees that each broadcast which has arrived reaches its handler once, in the order of arrival (which is the
// order of the commits), or that the log says why it did not: the retention time of a reference is over, the handler
// failed, there was no room, or the connection was lost. Missing broadcasts are reported in order with the others. A
// payload that is not an envelope of the channel comes from a NOTIFY of an application, and is ignored.
//
// Every role of a database can NOTIFY on every channel with any payload, so no arrived payload proves that the channel
// is for broadcasts. The server tells the kind, after the broadcast has arrived: nothing is handed on if the channel is
// a queue at that moment, does not exist, or may not be used. Whether the sender was allowed to publish is unknown.
//
// Steps: for the broadcasts that have arrived by now, ask once for each of their channels for its kind; hand them on,
// one by one.

#include <utility>

#include "base/one_line.hpp"
#include "base/sqlstate.hpp"
#include "consumer/consumer_loop.hpp"
#include "protocol/envelope.hpp"

namespace pgpubsub::inline v0 {

namespace {

struct stored_broadcast {
    bool is_broadcast_channel = true;
    std::optional<std::string> envelope = {};
};

// Reads the stored broadcast with the id; retries until there is an answer.
stored_broadcast read_stored(consumer_loop& loop, const broadcast_state& b, std::int64_t id) {
    for (;;) {
        try {
            if (!loop.server || !loop.server->alive())
                loop.reconnect();
            if (b.may_be_queue) {  // not found out by an error, which the server would log
                const auto kind = loop.ask_kind(b.name);
                if (kind && *kind != broadcast_kind)
                    return {.is_broadcast_channel = false};
                if (kind && id == no_broadcast)
                    return {};
            }
            const auto call = read_broadcast_statement(b.name, id);
            return {.envelope = read_text(loop.server->exec(call.sql, call.parameters).get())};
        } catch (const error& e) {
            if (!loop.server || !loop.server->alive()) {
                loop.lost(e.what());
                continue;
            }
            const bool is_queue = e.sqlstate() == sqlstate::wrong_object_type;
            if ((is_queue && b.may_be_queue) || e.sqlstate() == sqlstate::undefined_object)
                return {.is_broadcast_channel = false};
            if (sqlstate::is_permanent(e.sqlstate()))
                throw broadcast_refusal(loop, b, e);
            throw;
        }
    }
}

// Calls the gap handler for missed broadcasts. A failure of the handler is only logged: there is nothing to repeat.
void tell_of_gap(consumer_loop& loop, const broadcast_state& b, std::optional<std::uint64_t> count,
                 std::string_view reason) {
    if (!b.missed)
        return;
    const broadcast_gap gap{.channel = b.name, .count = count, .reason = std::string(reason)};
    const auto call = [&] { b.missed(gap); };
    if (const auto failure = loop.failure_in_broadcast(b, call))
        loop.log.warning("channel \"{}\": the handler of missed broadcasts failed: {}", b.name, excerpt(failure->text));
}

// Reports a lost connection for all channels. For a channel that may be a queue, and then has no broadcasts, the server
// is asked.
void tell_all_of_lost_connection(consumer_loop& loop, const std::vector<broadcast_state>& broadcasts) {
    bool any = false;
    for (const auto& b : broadcasts) {
        if (b.may_be_queue && !is_broadcast_channel(loop, b))
            continue;
        if (!std::exchange(any, true))
            loop.log.warning("broadcasts that were sent while the listening connection was lost are missed");
        tell_of_gap(loop, b, std::nullopt, "the listening connection was lost");
    }
}

// Reports what is missing before the next entry.
void tell_what_is_missing(consumer_loop& loop, const std::vector<broadcast_state>& broadcasts,
                          const broadcast_queue::next& next) {
    if (next.after_gap)
        tell_all_of_lost_connection(loop, broadcasts);
    for (const auto& [handler, count] : next.dropped) {
        const auto& b = broadcasts[handler];
        loop.log.warning("channel \"{}\": {} broadcasts were dropped: they come faster than they are handled", b.name,
                         count);
        tell_of_gap(loop, b, count, "they come faster than they are handled");
    }
}

// Returns the whole of a broadcast that was sent by reference. If it can't be read, returns no value and logs the
// reason.
std::optional<notification> read_whole(consumer_loop& loop, const broadcast_state& b, std::int64_t id) {
    const auto missed = [&](std::string_view why) -> std::optional<notification> {
        ++loop.failures;
        loop.log.warning("channel \"{}\": broadcast {} is missed: {}", b.name, id, why);
        tell_of_gap(loop, b, 1, why);
        return std::nullopt;
    };
    try {
        const auto found = read_stored(loop, b, id);
        if (!found.is_broadcast_channel)
            return std::nullopt;
        if (!found.envelope)
            return missed("its retention time is over");
        auto whole = parse_envelope(*found.envelope);
        if (!whole || whole->by_reference)
            return missed("what is stored is no broadcast");
        return std::move(whole->what);
    } catch (const error& e) {
        if (sqlstate::is_permanent(e.sqlstate()))
            throw;
        return missed(e.what());
    }
}

void deliver(consumer_loop& loop, const broadcast_state& b, envelope arrived) {
    const auto what = arrived.by_reference ? read_whole(loop, b, arrived.what.id) : std::move(arrived.what);
    if (!what)
        return;
    if (const auto failure = loop.failure_in_broadcast(b, [&] { b.handler(*what); })) {
        ++loop.failures;
        loop.log.warning("channel \"{}\": the handler of broadcast {} failed, and it does not come again: {}", b.name,
                         what->id, excerpt(failure->text));
    }
}

}  // namespace

bool is_broadcast_channel(consumer_loop& loop, const broadcast_state& b) {
    try {
        return read_stored(loop, b, no_broadcast).is_broadcast_channel;
    } catch (const error& e) {
        if (sqlstate::is_permanent(e.sqlstate()))
            throw;
        ++loop.failures;
        loop.log.warning("channel \"{}\": what has arrived is missed, for its kind could not be asked: {}", b.name,
                         e.what());
        tell_of_gap(loop, b, std::nullopt, e.what());
        return false;
    }
}

error broadcast_refusal(const consumer_loop& loop, const broadcast_state& b, const error& e) {
    if (e.sqlstate() == sqlstate::wrong_object_type)
        return error(
            fmt::format("channel \"{}\" is a queue channel, and on_broadcast() is for broadcast channels", b.name),
            {.sqlstate = e.sqlstate(), .hint = "Register the handler with on()."});
    return with_privilege_hint(e, *loop.server, b.name, "consume");
}

void deliver_broadcasts(consumer_loop& loop, const std::vector<broadcast_state>& broadcasts) {
    // Not the broadcasts that come meanwhile: the queue channels need their turn, and the answers below are older than
    // these broadcasts.
    const auto arrived = loop.shared.broadcasts.arrived();
    std::vector<std::optional<bool>> is_broadcast(broadcasts.size());
    while (loop.stops() == 0) {
        const auto next = loop.shared.broadcasts.pop(arrived);
        if (!next)
            return;
        tell_what_is_missing(loop, broadcasts, *next);
        const auto& came = next->what;
        if (came.is_gap) {
            tell_all_of_lost_connection(loop, broadcasts);
            continue;
        }
        const auto& b = broadcasts[came.handler];
        auto message = parse_envelope(came.text);
        const bool is_envelope = message && message->what.channel == b.name;
        auto& known = is_broadcast[came.handler];
        if (!known && (is_envelope || b.may_be_queue))
            known = is_broadcast_channel(loop, b);
        if (is_envelope && *known) {
            deliver(loop, b, std::move(*message));
        } else {
            loop.log.debug("channel \"{}\": a NOTIFY that is no broadcast: {}", b.name, excerpt(came.text));
            if (!known.value_or(true))
                loop.hint(b.name);  // on a queue channel, any NOTIFY is a wake-up
        }
    }
}

}  // namespace pgpubsub::inline v0
