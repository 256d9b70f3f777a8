// What a walk tells of the rows that it comes by, and the ranges that follow from it (place.hpp).
//
// Of each entry of the index the walk says, in the order of the lane, what is behind it. Entries next to each other of which the same
// is to be said are one range. A row that stays ends a range, and is in none.
#pragma once

#include "notification.hpp"
#include "place.hpp"

namespace pgpubsub {

// What is to be said of an entry.
struct entry_fate {
    enum what : uint8 { gone, removed, inserted, stays };
    what kind;
    uint64 owner;  // the transaction that has removed it, or is inserting it

    bool operator==(const entry_fate&) const = default;
};

class range_recorder {
public:
    static range_recorder begin(const known_place* known);

    // The walk enters a lane, or goes on in it behind what is known.
    void enter(int32 lane, int64 from);
    void note(int64 at, entry_fate fate, uint32 entries = 1);
    // It passes over what is known.
    void skip(int64 from, int64 to);
    // It has seen all of the lane that is below `to`.
    void leave(int64 to);
    // It has seen all of the lane up to the number that was noted last: that included, or not.
    void leave_behind_last();
    void leave_before_last();

    bool is_in(int32 lane) const { return has_lane_ && lane_ == lane; }

private:
    void close(int64 to);
    void settle_present();

    const known_place* known_;
    bool has_lane_;
    int32 lane_;
    int64 from_;          // of the range that is being made
    entry_fate fate_;     // of that
    uint32 entries_;      // in that; 0: nothing is known of it yet
    bool has_present_;
    int64 at_;            // the number of the entries that were noted last
    entry_fate present_;  // of all of these
    uint32 present_entries_;
};
static_assert(survives_longjmp<range_recorder>);

// Tells the fates of entries for which a walk by a snapshot has found no row, and of rows that another transaction is at.
class fate_finder {
public:
    // The snapshot is that of the walk.
    static fate_finder begin(const notification_table& table, Snapshot snapshot);
    // No row was found by the walk's snapshot. `is_dead`: nobody can see one any more.
    entry_fate of_entry(ItemPointer tid, bool is_dead);
    // The row is there by the walk's snapshot.
    entry_fate of_row(ItemPointer tid);
    // A row that this transaction has removed just now.
    entry_fate of_removed();
    void end();

private:
    bool may_have_moved(ItemPointer tid);
    entry_fate busy_with(TransactionId xid, entry_fate::what kind);
    TupleTableSlot* slot();

    const notification_table* table_;
    Snapshot snapshot_;
    uint64 writer_;   // our own sub-transaction, if the transaction may have removed rows before; else 0
    uint64 remover_;  // the same, since it removes a row
    uint64 next_;     // transaction, when that was asked last
    IndexFetchTableData* fetch_;
    TupleTableSlot* slot_;
};
static_assert(survives_longjmp<fate_finder>);

}  // namespace pgpubsub
