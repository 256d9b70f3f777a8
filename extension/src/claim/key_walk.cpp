#include "claim/key_walk.hpp"

#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"

namespace pgpubsub {
namespace {

// The place where the session's last walk ended.
int32 last_subscription = 0;
int64 last_key = 0;

// Lies below all hashes. A key whose hash is this number is skipped by this walk, and found by the walk by age.
constexpr int64 before_all = PG_INT64_MIN;
constexpr int64 after_all = PG_INT64_MAX;  // of the ids

}  // namespace

key_walk key_walk::begin(const notification_table& table, int32 subscription_id) {
    key_walk walk{};
    walk.table_ = &table;
    walk.subscription_id_ = subscription_id;
    walk.reader_ = entry_reader::begin(table.heap());
    walk.begun_behind_ =
        last_subscription == subscription_id ? last_key : static_cast<int64>(pg_prng_uint64(&pg_global_prng_state));
    ScanKeyData keys[] = {equals_int4(1, subscription_id), above_int8(2, walk.begun_behind_), from_int8(3, before_all)};
    walk.scan_ = notification_scan::begin(table, our_catalog().notification_ordered, GetActiveSnapshot(), keys,
                                          notification_scan::with_keys);
    return walk;
}

void key_walk::restart_behind(int64 order_key) {
    ScanKeyData keys[] = {equals_int4(1, subscription_id_), above_int8(2, order_key), from_int8(3, before_all)};
    scan_.restart(GetActiveSnapshot(), keys);
    is_in_key_ = false;
}

// Continues where the rows of the present key begin.
void key_walk::restart_in_key() {
    ScanKeyData keys[] = {equals_int4(1, subscription_id_), equals_int8(2, key_), from_int8(3, start_.first())};
    scan_.restart(GetActiveSnapshot(), keys);
    is_in_key_ = true;
}

// Returns false when the walk has come to its end.
bool key_walk::enter_key(int64 order_key) {
    skipped_ += passed_ / passed_as_one_skipped;
    passed_ %= passed_as_one_skipped;
    if (was_cut() || (has_wrapped_ && order_key > begun_behind_))
        return false;
    key_ = order_key;
    has_key_ = is_before_first_ = true;
    start_ =
        key_start::recall(key_name_of(table_->heap(), key_index::ordered, subscription_id_, order_key), before_all);
    return true;
}

bool key_walk::next(ItemPointer tid, row_values* row) {
    if (skips_key_ && has_key_) {
        if (++skipped_ >= skip_limit)
            return false;
        restart_behind(key_);
    }
    skips_key_ = false;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        const bool has_entry = scan_.next_entry();
        const int64 key = has_entry ? DatumGetInt64(scan_.entry_key(2)) : 0;
        const int64 id = has_entry ? DatumGetInt64(scan_.entry_key(3)) : 0;
        if (has_key_ && is_before_first_ && (!has_entry || key != key_)) {
            start_.came_to(after_all);
            is_before_first_ = false;
        }
        if (!has_entry) {
            if (!is_in_key_ && has_wrapped_)
                return false;
            has_wrapped_ = has_wrapped_ || !is_in_key_;
            restart_behind(is_in_key_ ? key_ : before_all);
            continue;
        }
        if (!has_key_ || key != key_) {
            if (!enter_key(key))
                return false;
            if (start_.first() > id) {
                restart_in_key();
                continue;
            }
        }
        if (scan_.fetch()) {
            if (is_before_first_)
                start_.came_to(id);
            is_before_first_ = false;
            *row = scan_.values();
            *tid = *scan_.tid();
            return true;
        }
        ++passed_;
        if (is_before_first_ && start_.passed(scan_, id, &reader_))
            restart_in_key();
    }
}

void key_walk::end() {
    if (has_key_) {
        last_subscription = subscription_id_;
        last_key = key_;
    }
    scan_.end();
    reader_.end();
}

}  // namespace pgpubsub
