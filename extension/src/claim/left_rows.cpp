#include "claim/left_rows.hpp"

#include "channel/catalog.hpp"
#include "claim/ready_walk.hpp"
#include "place/place.hpp"
#include "queue/key_look_up.hpp"

namespace pgpubsub {
namespace {

bool has_ready(const notification_table& table, const channel& c, const subscription& s) {
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    const known_place known = known_place::recall(table.heap(), c, s.id, snapshot);
    ready_walk rows = ready_walk::begin(table, s.id, snapshot, &known);
    const bool found = rows.next();
    rows.end();
    UnregisterSnapshot(snapshot);
    return found;
}

// Returns whether the subscription has a row that waits, whatever its due time.
bool has_waiting(const notification_table& table, const subscription& s) {
    ScanKeyData keys[] = {equals_int4(1, s.id)};
    repeated_scan scan{};
    entry_reader reader = entry_reader::begin(table.heap());
    const auto open = [&](Snapshot snapshot) -> notification_scan& {
        return scan.begin(table, our_catalog().notification_due, snapshot, keys);
    };
    const auto matches = [&s](TupleTableSlot* slot) {
        bool null;
        return DatumGetInt32(slot_getattr(slot, column::subscription_id, &null)) == s.id &&
               !slot_attisnull(slot, column::due_at);
    };
    const auto add = [](bool* found, TupleTableSlot*, const SnapshotData& dirty) {
        return *found = !TransactionIdIsValid(dirty.xmin);
    };
    const bool found = look_at_rows<bool>(name_of_waiting(table.heap(), s.id), &reader, open, matches, add);
    scan.end();
    reader.end();
    return found;
}

// Does not trust the session's own memory of gone rows, which may be a guess (place.hpp, 1).
bool has_any(const notification_table& table, const subscription& s) {
    ScanKeyData keys[] = {equals_int4(1, s.id)};
    return has_row(table, our_catalog().notification_ready, keys) ||
           has_row(table, our_catalog().notification_due, keys);
}

void remove_ready(notification_table& table, const channel& c, const subscription& s, bool wait) {
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    const known_place known = known_place::recall(table.heap(), c, s.id, snapshot);
    ready_walk rows = ready_walk::begin(table, s.id, snapshot, &known);
    while (rows.next())
        if (table.remove(rows.tid(), wait) == TM_Ok)
            rows.removed();
    rows.end();
    UnregisterSnapshot(snapshot);
    CommandCounterIncrement();
}

}  // namespace

void remove_most_rows(notification_table& table, const channel& c, const subscription& s) {
    if (!knows_keys())
        return;
    remove_ready(table, c, s, false);
    has_waiting(table, s);
}

void remove_left_rows(notification_table& table, const channel& c, const subscription& s) {
    if (!knows_keys()) {
        table.remove_all(s.id, true);
        return;
    }
    remove_ready(table, c, s, true);
    if (has_waiting(table, s))
        table.remove_waiting(s.id, true);
}

bool has_rows(const notification_table& table, const channel& c) {
    for (const subscription& s : subscriptions_of(c)) {
        if (knows_keys() ? has_ready(table, c, s) || has_waiting(table, s) : has_any(table, s))
            return true;
    }
    return false;
}

}  // namespace pgpubsub
