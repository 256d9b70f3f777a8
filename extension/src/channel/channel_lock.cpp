#include "channel/channel_lock.hpp"

#include "pg/compat.hpp"
#include "pg/locks.hpp"

namespace pgpubsub {
namespace {

// A transaction that uses more channels has one lock for all further ones, since the lock table is of limited size.
// That lock excludes every transaction that has any channel for `replace`, as if that channel were in use.
constexpr int max_used = 64;

// The channels that this transaction has locked for use.
struct used_channels {
    LocalTransactionId transaction;
    bool has_all;
    int count;
    int32 ids[max_used];
};

used_channels used;

bool is_in_use(int32 id) {
    if (used.transaction != local_transaction_id()) {
        used.transaction = local_transaction_id();
        used.has_all = false;
        used.count = 0;
    }
    // The last one is compared first: most often the same one is asked for again.
    for (int i = used.count - 1; i >= 0; --i)
        if (used.ids[i] == id)
            return true;
    return used.has_all;
}

LOCKTAG tag_of(int32 id) { return lock_tag(lock_class::channel, static_cast<uint32>(id)); }
LOCKTAG tag_of_all() { return lock_tag(lock_class::all_channels, 0); }

// Runs f so that the locks stay when a sub-transaction is rolled back. So `used` stays true.
template <typename F>
void with_top_transaction_owner(F f) {
    const ResourceOwner before = CurrentResourceOwner;
    CurrentResourceOwner = TopTransactionResourceOwner;
    f();
    CurrentResourceOwner = before;
}

constexpr LOCKMODE mode_of_use = static_cast<LOCKMODE>(channel_lock::use);

void lock_for_use(int32 id) {
    with_top_transaction_owner([id] {
        const LOCKTAG tag = tag_of(id);
        if (used.count < max_used && acquire_lock_if_room(&tag, mode_of_use)) {
            used.ids[used.count++] = id;
            return;
        }
        const LOCKTAG all = tag_of_all();
        LockAcquire(&all, mode_of_use, false, false);
        used.has_all = true;
    });
}

bool lock_for_use_if_free(int32 id) {
    bool is_locked = false;
    with_top_transaction_owner([id, &is_locked] {
        const bool has_room = used.count < max_used;
        const LOCKTAG tag = has_room ? tag_of(id) : tag_of_all();
        is_locked = acquire_lock_if_free(&tag, mode_of_use) != LOCKACQUIRE_NOT_AVAIL;
        if (is_locked && has_room)
            used.ids[used.count++] = id;
        else if (is_locked)
            used.has_all = true;
    });
    return is_locked;
}

}  // namespace

bool use_channel(channel* c, bool* was_locked) {
    const bool is_used = is_in_use(c->id);
    if (was_locked != nullptr)
        *was_locked = !is_used;
    if (is_used)
        return true;
    lock_for_use(c->id);
    // The transaction that had the lock before has committed: its changes are read.
    AcceptInvalidationMessages();
    return find_channel(c->id, c);
}

bool use_channel_if_free(channel* c) {
    if (is_in_use(c->id))
        return true;
    if (!lock_for_use_if_free(c->id))
        return false;
    AcceptInvalidationMessages();
    return find_channel(c->id, c);
}

channel get_channel_for_use(std::string_view name, Oid role, privilege wanted) {
    channel c;
    do {
        c = get_channel(name);
        check_privilege(c, role, wanted);
        if (is_in_use(c.id))
            return c;
    } while (!use_channel(&c));
    check_privilege(c, role, wanted);
    return c;
}

void lock_channel(int32 id, channel_lock mode) {
    with_transaction_owner([&] {
        const LOCKTAG tag = tag_of(id);
        LockAcquire(&tag, static_cast<LOCKMODE>(mode), false, false);
        if (mode == channel_lock::replace) {
            // Transactions that use very many channels have this lock. Others that replace a channel are no hindrance.
            const LOCKTAG all = tag_of_all();
            LockAcquire(&all, ShareLock, false, false);
        }
        return true;
    });
    AcceptInvalidationMessages();
}

channel owned_channel(std::string_view name, channel_lock mode) {
    channel c;
    do {
        c = get_channel(name, if_missing::look_for_another);
        check_privilege(c, GetUserId(), privilege::owner);
        lock_channel(c.id, mode);
    } while (!find_channel(c.id, &c));
    check_privilege(c, GetUserId(), privilege::owner);
    return c;
}

}  // namespace pgpubsub
