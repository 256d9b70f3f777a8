// The notification table, opened for writing.
//
// It is read and written below the executor, by the table and index access methods. So:
// - no plan can go wrong with the statistics of a table that is empty at one moment and huge at the next;
// - the permissions of the current user play no part;
// - a row costs half the work.
//
// The table has no constraint, trigger or row security that concerns our own writes, which an executor would execute.
#pragma once

#include "pg/index_entries.hpp"
#include "queue/notification_row.hpp"

namespace pgpubsub {

// The caller must close() it when done; after an ERROR PostgreSQL closes it.
class notification_table {
public:
    static notification_table open();
    void close();

    Relation heap() const { return heap_; }

    void insert(const row_values& row);
    // Stores once more the row that stood, or stands, at `old`.
    void insert_again(const row_values& row, ItemPointer old);
    // Inserts many rows at once. Each slot holds a tuple of the row's values, and gets its tid.
    void insert(std::span<TupleTableSlot*> slots, std::span<const row_values> rows);

    // Replace, or remove, the row version at `tid`. Not TM_Ok: another transaction was there first; or, without `wait`,
    // another transaction has the row now (TM_BeingModified), if only by a lock. With `wait`, they wait for that
    // transaction to end.
    TM_Result update(ItemPointer tid, const row_values& row, bool wait);
    TM_Result remove(ItemPointer tid, bool wait);

    // Locks the row version for this transaction alone, without waiting. Not TM_Ok: as for update() without `wait`. A
    // caller that has the lock may update and remove with `wait`: there is no transaction to wait for.
    TM_Result lock(ItemPointer tid);

    // Returns whether the row version is there, and no other transaction is removing, changing or locking it just now.
    bool is_free(ItemPointer tid) const;

    // Removes all rows of a subscription that are committed by now, and returns how many. Rows that another transaction
    // has locked or is changing: with `wait`, waits for them; else leaves them.
    int64 remove_all(int32 subscription_id, bool wait);
    // Does the same with those that have a due_at.
    int64 remove_waiting(int32 subscription_id, bool wait);

private:
    bool may_be_only_ours(ItemPointer tid, const TM_FailureData& failure);
    bool has_multixact(ItemPointer tid);
    TupleTableSlot* version_slot();
    int64 remove_by(Oid index, int32 subscription_id, bool wait, bool* changed);
    int64 remove_by(std::initializer_list<Oid> indexes, int32 subscription_id, bool wait);
    void put_into_slot(const row_values& row);
    void keep_unknown_columns(ItemPointer tid);
    void insert_index_entries(const row_values& row, TupleTableSlot* slot);
    void insert_own_index_entries(const row_values& row, ItemPointer tid);
    void tell_of_keys(const row_values& row, ItemPointer tid) const;
    void insert_index_entry(int which, std::span<const Datum> key, ItemPointer tid);

    Relation heap_;
    MemoryContext context_;  // the context that was current at open()
    TupleTableSlot* slot_;
    TupleTableSlot* version_slot_;  // made when first needed
    Relation indexes_[8];           // our own, opened when first needed
    IndexInfo* info_;
    bool has_other_indexes_;     // somebody has added indexes to ours
    index_entries all_indexes_;  // used in that case
};
static_assert(survives_longjmp<notification_table>);

}  // namespace pgpubsub
