#include "key_walk.hpp"

#include "catalog.hpp"

namespace pgpubsub {
namespace {

// Where the session's last walk ended.
int32 last_subscription = 0;
int64 last_key = 0;

// No hash is below it; a key that has it as its hash is passed over by this walk, and found by the one by age.
constexpr int64 before_all = PG_INT64_MIN;

}  // namespace

key_walk key_walk::begin(const notification_table& table, int32 subscription_id) {
    key_walk walk{};
    walk.subscription_id_ = subscription_id;
    walk.begun_behind_ =
        last_subscription == subscription_id ? last_key : static_cast<int64>(pg_prng_uint64(&pg_global_prng_state));
    ScanKeyData keys[] = {equals_int4(1, subscription_id), above_int8(2, walk.begun_behind_)};
    walk.scan_ = notification_scan::begin(table, our_catalog().notification_ordered, GetActiveSnapshot(), keys);
    return walk;
}

void key_walk::restart_behind(int64 order_key) {
    ScanKeyData keys[] = {equals_int4(1, subscription_id_), above_int8(2, order_key)};
    scan_.restart(GetActiveSnapshot(), keys);
}

bool key_walk::next(ItemPointer tid, row_values* row) {
    if (skips_key_ && has_key_) {
        if (++skipped_ == skip_limit)
            return false;
        restart_behind(key_);
    }
    skips_key_ = false;
    bool found = scan_.next();
    if (!found && !has_wrapped_) {
        has_wrapped_ = true;
        restart_behind(before_all);
        found = scan_.next();
    }
    if (!found)
        return false;
    *row = scan_.values();
    key_ = DatumGetInt64(row->get(column::order_key));
    has_key_ = true;
    if (has_wrapped_ && key_ > begun_behind_)
        return false;
    *tid = *scan_.tid();
    return true;
}

void key_walk::end() {
    if (has_key_) {
        last_subscription = subscription_id_;
        last_key = key_;
    }
    scan_.end();
}

}  // namespace pgpubsub
