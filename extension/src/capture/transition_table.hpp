// The rows that a statement changed, as a trigger FOR EACH STATEMENT receives them: the rows before, and the rows
// after.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

class transition_table {
public:
    // Opens the table at its first row, whatever other triggers have read of it.
    static transition_table open(Tuplestorestate* rows, TupleDesc format) {
        tuplestore_select_read_pointer(rows, tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
        tuplestore_rescan(rows);
        return {rows, MakeSingleTupleTableSlot(format, &TTSOpsMinimalTuple), CurrentMemoryContext};
    }

    // Moves to the next row and deforms it; returns null at the end.
    TupleTableSlot* next() {
        // A row that was read from a file belongs to the slot, and lives as long as the slot.
        const bool found = with_context(memory_, [this] { return tuplestore_gettupleslot(rows_, true, false, slot_); });
        if (!found)
            return nullptr;
        slot_getallattrs(slot_);
        return slot_;
    }

    void close() { ExecDropSingleTupleTableSlot(slot_); }

private:
    transition_table(Tuplestorestate* rows, TupleTableSlot* slot, MemoryContext memory)
        : rows_(rows), slot_(slot), memory_(memory) {}

    Tuplestorestate* rows_;
    TupleTableSlot* slot_;
    MemoryContext memory_;
};
static_assert(survives_longjmp<transition_table>);

}  // namespace pgpubsub
