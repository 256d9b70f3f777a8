// Reads the rows to which entries of an index lead, without a scan. An entry leads to all versions of a row that have
// the same values in all indexes.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

class entry_reader {
public:
    // Whatever the reader needs is allocated in the memory context that is current when it first reads.
    static entry_reader begin(Relation heap) { return {heap, nullptr, nullptr}; }
    void end();

    // Calls f(slot) for each version that the snapshot sees.
    template <typename F>
    void read(const ItemPointerData& pointer, Snapshot snapshot, F f) {
        open();
        ItemPointerData at = pointer;
        bool has_more = false;
        bool all_dead = false;
        do {
            if (!table_index_fetch_tuple(fetch_, &at, snapshot, slot_, &has_more, &all_dead))
                break;
            f(slot_);
        } while (has_more);
        ExecClearTuple(slot_);
    }

    // Returns whether the entry is gone: each version was never committed, or was removed or replaced by a transaction
    // that has committed. No transaction, running or to come, can change that. An older snapshot may see a version all
    // the same.
    bool is_gone(const ItemPointerData& pointer);

    Relation heap_;
    IndexFetchTableData* fetch_;
    TupleTableSlot* slot_;

private:
    void open();
};
static_assert(survives_longjmp<entry_reader>);

}  // namespace pgpubsub
