// The fate of an index entry, or of a row that another transaction is changing, for the walks over claimable rows.
#pragma once

#include "pure/finished_ranges.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// The fate of an entry.
struct entry_fate {
    // The first three are also the fates of ranges.
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

// Finds the fates of entries for which a walk's snapshot has no row, and of rows that another transaction is changing.
class fate_finder {
public:
    // `snapshot` is that of the walk.
    static fate_finder begin(const notification_table& table, Snapshot snapshot);
    // Returns the fate of an entry for which the walk's snapshot has no row. `is_dead`: no snapshot can see a row there
    // any more.
    entry_fate of_entry(ItemPointer tid, bool is_dead);
    // Returns the fate of a row that the walk's snapshot sees.
    entry_fate of_row(ItemPointer tid);
    // Returns the fate of a row that this transaction has just removed.
    entry_fate of_removed();
    void end();

private:
    bool may_have_moved(ItemPointer tid);
    entry_fate busy_with(TransactionId xid, entry_fate::what kind);
    TupleTableSlot* slot();

    const notification_table* table_;
    Snapshot snapshot_;
    uint64 writer_;   // our own subtransaction if the transaction may have removed rows before; else 0
    uint64 remover_;  // our own subtransaction, as the remover of a row
    uint64 next_;     // next transaction number, when it was last read
    IndexFetchTableData* fetch_;
    TupleTableSlot* slot_;
};
static_assert(survives_longjmp<fate_finder>);

}  // namespace pgpubsub
