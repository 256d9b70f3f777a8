// The locks that are not on a relation or a row: PostgreSQL's advisory locks, in classes that SQL can't take. pg_locks
// shows the class as objsubid.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// pg_advisory_lock() has the classes 1 and 2.
enum class lock_class : uint16 {
    key = 3,           // a key of an ordered channel (key_order.hpp)
    dedup = 4,         // a dedup_key (dedup.cpp)
    channel = 5,       // a channel, by its id (channel_lock.hpp)
    all_channels = 6,  // all channels, for a transaction that uses many (channel_lock.cpp)
    channel_name = 7,  // the name of a channel that is being made (create_channel.cpp)
    storage = 8,       // packing of the storage, by one process at a time (storage_job.cpp)
};

inline LOCKTAG lock_tag(lock_class what, uint64 place) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<uint32>(place >> 32), static_cast<uint32>(place),
                         static_cast<uint16>(what));
    return tag;
}

// Runs f so that the locks that it takes belong to the (sub)transaction, not to the portal that happens to run. A
// portal that fails in a later sub-transaction gives its locks back, but the rows that it took stay taken.
template <typename F>
inline auto with_transaction_owner(F f) {
    static_assert(survives_longjmp<F>);
    const ResourceOwner before = CurrentResourceOwner;
    CurrentResourceOwner = CurTransactionResourceOwner;
    const auto result = f();
    CurrentResourceOwner = before;
    return result;
}

// A lock that is held for a moment only. acquire() waits for it; release() ends it.
class momentary_lock {
public:
    void acquire(const LOCKTAG& tag) {
        tag_ = tag;
        constexpr bool for_session = false;
        constexpr bool dont_wait = false;
        with_transaction_owner([this] { return LockAcquire(&tag_, ExclusiveLock, for_session, dont_wait); });
        is_held_ = true;
    }
    void release() {
        if (is_held_)
            with_transaction_owner([this] { return LockRelease(&tag_, ExclusiveLock, false); });
        is_held_ = false;
    }
    bool is_held() const { return is_held_; }

private:
    LOCKTAG tag_{};
    bool is_held_ = false;
};
static_assert(survives_longjmp<momentary_lock>);

}  // namespace pgpubsub
