// Guarantees that each broadcast which has arrived reaches its handler once, in the order of arrival (that is the
// order of the commits), or that the log says why it did not: a reference whose retention time is over, a handler
// that failed, more than there is room for. What is no envelope of the channel is somebody's own NOTIFY, and ignored.

#include "envelope.hpp"
#include "sqlstate.hpp"
#include "text.hpp"
#include "worker.hpp"

namespace pgpubsub::inline v0 {

namespace {

// The whole of a broadcast that was sent by reference. Nothing, and a line in the log, when it is not to be had.
std::optional<notification> read_whole(worker& w, const broadcast_state& b, std::int64_t id) {
    const auto missed = [&](std::string_view why) {
        ++w.failures;
        w.log.warning("channel \"{}\": broadcast {} is missed: {}", b.name, id, why);
        return std::nullopt;
    };
    for (;;) {
        try {
            if (!w.server || !w.server->alive()) w.reconnect();
            const auto call = read_broadcast_statement(b.name, id);
            const auto text = read_text(w.server->exec(call.sql, call.parameters).get());
            if (!text) return missed("its retention time is over");
            auto whole = parse_envelope(*text);
            if (!whole || whole->by_reference) return missed("what is stored is no broadcast");
            return std::move(whole->what);
        } catch (const error& e) {
            if (w.server && w.server->alive()) {
                if (sqlstate::is_permanent(e.sqlstate())) throw with_privilege_hint(e, *w.server, b.name, "consume");
                return missed(e.what());
            }
            w.lost(e.what());
        }
    }
}

void deliver(worker& w, const broadcast_state& b, const std::string& text) {
    auto arrived = parse_envelope(text);
    if (!arrived || arrived->what.channel != b.name)
        return w.log.debug("channel \"{}\": a NOTIFY that is no broadcast: {}", b.name, excerpt(text));
    const auto what = arrived->by_reference ? read_whole(w, b, arrived->what.id) : std::move(arrived->what);
    if (!what) return;
    if (const auto failure = failure_of([&] { b.handler(*what); })) {
        ++w.failures;
        w.log.warning("channel \"{}\": the handler of broadcast {} failed, and it does not come again: {}", b.name,
                      what->id, excerpt(failure->text));
    }
}

}  // namespace

void deliver_broadcasts(worker& w, const std::vector<broadcast_state>& broadcasts) {
    if (const auto dropped = w.shared.broadcasts.take_dropped(); dropped > 0)
        w.log.warning("{} broadcasts were dropped: they come faster than they are handled", dropped);
    // Not those that come meanwhile: the queue channels have their turn too.
    for (auto left = w.shared.broadcasts.size(); left > 0 && w.stops() == 0; --left)
        if (const auto next = w.shared.broadcasts.pop()) deliver(w, broadcasts[next->handler], next->text);
}

}  // namespace pgpubsub::inline v0
