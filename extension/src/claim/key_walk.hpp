// The rows of an ordered channel that are not leased, key by key instead of by age.
//
// Where a long stretch of the oldest rows belongs to keys that are blocked, a claim that walks by age would step over
// all of them each time. This walk passes a blocked key with one step, however many rows it has. The order between keys
// is then a rotation: each walk begins behind the key at which the session's last one ended, the first one anywhere, so
// none is starved.
#pragma once

#include "queue/key_look_up.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

class key_walk {
public:
    static key_walk begin(const notification_table& table, int32 subscription_id);
    // Moves to the next row: the next one of the same key, or, after skip_key(), the first one of the next key. False
    // when each key has had its turn, and when so many were skipped that the rest is for the next walk. The values hold
    // until the next call.
    bool next(ItemPointer tid, row_values* row);
    bool was_cut() const { return skipped_ >= skip_limit; }
    void skip_key() { skips_key_ = true; }
    void end();

private:
    void restart_behind(int64 order_key);
    void restart_in_key();
    bool enter_key(int64 order_key);

    // A few dozen milliseconds. A key that has been entered is walked through all the same: else nothing behind its
    // removed rows would ever be found.
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
    bool is_in_key_;        // the scan ends with the present key, since it began in the middle of it
    bool is_before_first_;  // no row of the present key was met
    key_start start_;       // of the present key
    notification_scan scan_;
    entry_reader reader_;
};
static_assert(survives_longjmp<key_walk>);

}  // namespace pgpubsub
