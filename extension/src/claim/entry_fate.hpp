// What is behind an entry of an index, or a row that another transaction is at, as a walk over what can be claimed asks
// it.
#pragma once

#include "pure/finished_ranges.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// What is to be said of an entry.
struct entry_fate {
    // The first three are those of a range.
    enum what : uint8 {
        gone = finished_range::finished,
        removed = finished_range::removed,
        inserted = finished_range::inserted,
        stays
    };
    what kind;
    uint64 owner;  // the transaction that has removed it, or is inserting it

    static entry_fate of_range(const finished_range& range) { return {static_cast<what>(range.kind), range.owner}; }
    bool operator==(const entry_fate&) const = default;
};

// Tells the fates of entries for which a walk by a snapshot has found no row, and of rows that another transaction is
// at.
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
