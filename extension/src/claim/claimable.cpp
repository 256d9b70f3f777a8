#include "claim/claimable.hpp"

namespace pgpubsub {
namespace {

// Rows read ahead in addition to the number that the caller asked for, since other consumers may hold some of the rows.
constexpr int chunk_reserve = 32;
constexpr int chunk_limit = 10'000;

bool comes_before(int16 priority, int64 id, int16 other_priority, int64 other_id) {
    return priority != other_priority ? priority > other_priority : id < other_id;
}

}  // namespace

int claimable_rows::by_priority_and_age(const void* a, const void* b) {
    const auto& left = *static_cast<const due_row*>(a);
    const auto& right = *static_cast<const due_row*>(b);
    if (comes_before(left.priority, left.id, right.priority, right.id))
        return -1;
    return comes_before(right.priority, right.id, left.priority, left.id) ? 1 : 0;
}

claimable_rows claimable_rows::begin(const notification_table& table, const channel& c, int32 subscription_id,
                                     int expected_count) {
    const Snapshot snapshot = GetActiveSnapshot();
    claimable_rows rows{};
    rows.table_ = &table;

    rows.known_ = static_cast<known_place*>(palloc(sizeof(known_place)));
    *rows.known_ = known_place::recall(table.heap(), c, subscription_id, snapshot);
    rows.due_ = due_walk::begin(table, subscription_id, snapshot, rows.known_);
    rows.chunk_capacity_ = Min(expected_count, chunk_limit) + chunk_reserve;
    rows.read_due_chunk();

    rows.ready_ = ready_walk::begin(table, subscription_id, snapshot, rows.known_);
    rows.advance_ready();
    return rows;
}

void claimable_rows::advance_ready() {
    ready_was_given_ = false;
    ready_has_row_ = ready_.next();
}

void claimable_rows::read_due_chunk() {
    due_.all_are_settled();
    chunk_size_ = chunk_next_ = 0;
    while (chunk_size_ < chunk_capacity_ && due_.next()) {
        if (chunk_ == nullptr) {
            chunk_ = static_cast<due_row*>(palloc(chunk_capacity_ * sizeof(due_row)));
            due_slot_ = table_slot_create(table_->heap(), nullptr);
        }
        chunk_[chunk_size_++] = {.priority = DatumGetInt16(due_.get(column::priority)),
                                 .id = DatumGetInt64(due_.get(column::id)),
                                 .due_at = DatumGetTimestampTz(due_.get(column::due_at)),
                                 .tid = *due_.tid(),
                                 .number = due_.number()};
    }
    if (chunk_size_ > 1)
        qsort(chunk_, chunk_size_, sizeof(due_row), by_priority_and_age);
}

bool claimable_rows::due_comes_first() const {
    if (chunk_next_ == chunk_size_)
        return false;
    const due_row& due = chunk_[chunk_next_];
    return !ready_has_row_ || comes_before(due.priority, due.id, ready_.priority(), ready_.id());
}

bool claimable_rows::next(ItemPointer tid, row_values* row) {
    if (ready_was_given_)
        advance_ready();
    if (chunk_next_ == chunk_size_ && !due_.is_at_end())
        read_due_chunk();

    while (due_comes_first()) {
        *tid = chunk_[chunk_next_++].tid;
        if (!table_tuple_fetch_row_version(table_->heap(), tid, GetActiveSnapshot(), due_slot_))
            continue;
        *row = row_values::of(due_slot_);
        return true;
    }
    if (!ready_has_row_)
        return false;
    *tid = *ready_.tid();
    *row = ready_.values();
    ready_was_given_ = true;
    return true;
}

void claimable_rows::removed() {
    if (ready_was_given_)
        ready_.removed();
    else
        due_.removed(chunk_[chunk_next_ - 1].number);
}

void claimable_rows::end() {
    ready_.end();
    due_.end();
    known_->remember_stepped_over(ready_.stepped_over() + due_.stepped_over());
    if (due_slot_ != nullptr)
        ExecDropSingleTupleTableSlot(due_slot_);
}

}  // namespace pgpubsub
