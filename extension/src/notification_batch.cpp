#include "notification_batch.hpp"

#include "plain_table.hpp"
#include "stat_count.hpp"

namespace pgpubsub {

notification_batch notification_batch::begin(notification_table* table, const channel& c) {
    notification_batch batch{};
    batch.table_ = table;
    batch.channel_ = &c;
    batch.subscriptions_ = subscriptions_of(c);
    batch.memory_ = AllocSetContextCreate(CurrentMemoryContext, "pgpubsub batch", ALLOCSET_DEFAULT_SIZES);
    batch.tuples_ = AllocSetContextCreate(batch.memory_, "pgpubsub batch tuples", ALLOCSET_DEFAULT_SIZES);
    return batch;
}

// From few to many: most statements change a few rows.
void notification_batch::grow() {
    const int capacity = capacity_ == 0 ? 4 : Min(capacity_ * 4, max_rows);
    const auto resize = [this, capacity](void* array, Size element) {
        return array == nullptr ? MemoryContextAlloc(memory_, capacity * element) : repalloc(array, capacity * element);
    };
    rows_ = static_cast<row_values*>(resize(rows_, sizeof(row_values)));
    slots_ = static_cast<TupleTableSlot**>(resize(slots_, sizeof(TupleTableSlot*)));
    with_context(memory_, [this, capacity] {
        while (capacity_ < capacity)
            slots_[capacity_++] = MakeSingleTupleTableSlot(RelationGetDescr(table_->heap()), &TTSOpsHeapTuple);
    });
}

int64 notification_batch::add(const new_notification& n) {
    const int64 id = next_notification_id();
    for (const subscription& s : subscriptions_) {
        if (!passes(JsonbPGetDatum(n.payload), s.filter))
            continue;
        add_row(new_row(*channel_, s, id, n));
        count_published(s.id);
    }
    return id;
}

void notification_batch::add_row(const row_values& row) {
    const TupleDesc columns = RelationGetDescr(table_->heap());
    const HeapTuple tuple = with_context(tuples_, [&row, columns] {
        return form_row(columns, row.values, row.nulls);
    });
    if (count_ == capacity_)
        grow();
    ExecStoreHeapTuple(tuple, slots_[count_], false);
    rows_[count_++] = row;
    bytes_ += tuple->t_len;
    if (count_ == max_rows || bytes_ > max_bytes)
        write();
}

void notification_batch::write() {
    with_context(tuples_, [this] {
        table_->insert({slots_, static_cast<std::size_t>(count_)}, {rows_, static_cast<std::size_t>(count_)});
    });
    for (int i = 0; i < count_; ++i)
        ExecClearTuple(slots_[i]);
    MemoryContextReset(tuples_);
    count_ = 0;
    bytes_ = 0;
}

void notification_batch::end() {
    if (count_ > 0)
        write();
    for (int i = 0; i < capacity_; ++i)
        ExecDropSingleTupleTableSlot(slots_[i]);
    MemoryContextDelete(memory_);
}

}  // namespace pgpubsub
