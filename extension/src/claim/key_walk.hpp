// The rows of an ordered channel that are not leased, key by key instead of by age.
//
// If a long stretch of the oldest rows belongs to blocked keys, each claim that walks by age would step over all of
// them. This walk skips a blocked key in one step, whatever the number of its rows. The keys then take turns: each walk
// begins behind the key at which the session's last walk ended, and the session's first walk begins anywhere. So no key
// is starved.
#pragma once

#include "queue/key_look_up.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

class key_walk {
public:
    static key_walk begin(const notification_table& table, int32 subscription_id);
    // Moves to the next row: the next row of the same key or, after skip_key(), the first row of the next key. Returns
    // false when each key has had its turn, or when so many keys were skipped that the rest is left to the next walk.
    // The values stay valid until the next call.
    bool next(ItemPointer tid, row_values* row);
    bool was_cut() const { return skipped_ >= skip_limit; }
    void skip_key() { skips_key_ = true; }
    void end();

private:
    void restart_behind(int64 order_key);
    void restart_in_key();
    bool enter_key(int64 order_key);

    // Takes a few dozen milliseconds. A key that has been entered is always walked to its end: otherwise nothing behind
    // its removed rows would ever be found.
    static constexpr int skip_limit = 10'000;
    static constexpr int passed_as_one_skipped = 16;

    const notification_table* table_;
    int32 subscription_id_;
    int skipped_;
    int passed_;
    int64 begun_behind_;
    bool has_wrapped_;
    bool has_key_;
    int64 key_;
    bool skips_key_;
    bool is_in_key_;        // the scan ends with the present key, because it began in the middle of that key
    bool is_before_first_;  // no row of the present key was met yet
    key_start start_;       // of the present key
    notification_scan scan_;
    entry_reader reader_;
};
static_assert(survives_longjmp<key_walk>);

}  // namespace pgpubsub
