#include "queue/notification_batch.hpp"

#include "channel/plain_table.hpp"
#include "channel/table_columns.hpp"
#include "place/unstored.hpp"
#include "queue/stat_count.hpp"

#include <utility>

namespace pgpubsub {

notification_batch notification_batch::begin(notification_table* table, const channel& c) {
    notification_batch batch{};
    batch.table_ = table;
    batch.channel_ = &c;
    batch.memory_ = AllocSetContextCreate(CurrentMemoryContext, "pgpubsub batch", ALLOCSET_DEFAULT_SIZES);
    batch.read_subscriptions();
    batch.tuples_ = AllocSetContextCreate(batch.memory_, "pgpubsub batch tuples", ALLOCSET_DEFAULT_SIZES);
    return batch;
}

// A change that becomes known while they are read counts as one after it.
void notification_batch::read_subscriptions() {
    generation_ = channels_generation();
    subscriptions_ = with_context(memory_, [this] { return subscriptions_of(*channel_); });
}

// The capacity grows from few to many: most statements change a few rows.
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
    if (generation_ != channels_generation()) {
        if (count_ > 0)
            write();
        read_subscriptions();
    }
    has_announced_ = announce_ids(channel_->id) || has_announced_;
    const int64 id = draw_id();
    for (const subscription& s : subscriptions_) {
        if (!passes(JsonbPGetDatum(n.payload), s.filter))
            continue;
        add_row(new_row(*channel_, s, id, n));
        count_published(s.id);
    }
    if (count_ == 0)
        all_are_stored();
    return id;
}

void notification_batch::all_are_stored() {
    if (has_announced_)
        ids_are_stored();
    has_announced_ = false;
}

void notification_batch::add_row(const row_values& row) {
    const TupleDesc columns = RelationGetDescr(table_->heap());
    const HeapTuple tuple = with_context(tuples_, [&row, columns] { return form_row(columns, row.values, row.nulls); });
    if (count_ == capacity_)
        grow();
    ExecStoreHeapTuple(tuple, slots_[count_], false);
    rows_[count_++] = row;
    bytes_ += tuple->t_len;
    if (count_ == max_rows || bytes_ > max_bytes)
        write();
}

void notification_batch::leave_out_the_gone() {
    const auto is_gone = [](const row_values& row) {
        subscription s;
        return !find_subscription(DatumGetInt32(row.get(column::subscription_id)), &s);
    };
    int kept = 0;
    for (int i = 0; i < count_; ++i) {
        if (is_gone(rows_[i])) {
            ExecClearTuple(slots_[i]);
            continue;
        }
        std::swap(slots_[kept], slots_[i]);
        rows_[kept++] = rows_[i];
    }
    count_ = kept;
}

void notification_batch::write() {
    if (generation_ != channels_generation())
        leave_out_the_gone();
    with_context(tuples_, [this] {
        if (count_ > 0)
            table_->insert({slots_, static_cast<std::size_t>(count_)}, {rows_, static_cast<std::size_t>(count_)});
    });
    for (int i = 0; i < count_; ++i)
        ExecClearTuple(slots_[i]);
    MemoryContextReset(tuples_);
    count_ = 0;
    bytes_ = 0;
    all_are_stored();
}

void notification_batch::end() {
    if (count_ > 0)
        write();
    for (int i = 0; i < capacity_; ++i)
        ExecDropSingleTupleTableSlot(slots_[i]);
    MemoryContextDelete(memory_);
}

}  // namespace pgpubsub
