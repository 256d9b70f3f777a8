// pgpubsub_begin_update(): how an update script begins.
//
// Guarantee: what the script does by the name of the schema, it does to the extension's objects. And it has all locks
// before it changes anything: publishers and consumers wait for the update, but none of them fails for it, and none
// waits longer than a deadlock takes to be looked for.
//
// Steps: the schema belongs to the extension. Then all locks are taken, one after the other, in the order in which our
// functions take them. A session may hold one of these that comes later here and wait for one that comes earlier, since
// its transaction called several functions; or just hold one for long. So all of it has a time limit below
// deadlock_timeout, after which all locks are given back, and it begins anew a while later. Who waits stands in the queue of
// the lock, so constant traffic can't keep the update out.
#include "arguments.hpp"
#include "extension_members.hpp"
#include "plain_grants.hpp"
#include "script.hpp"

using namespace pgpubsub;

namespace {

struct wanted_lock {
    Oid relation;
    LOCKMODE mode;
};

constexpr int most_locks = 64;

struct wanted_locks {
    int count;
    wanted_lock items[most_locks];

    void add(Oid relation, LOCKMODE mode) {
        if (count == most_locks)
            elog(ERROR, "extension \"pgpubsub\" has too many relations");
        items[count++] = {relation, mode};
    }
};
static_assert(survives_longjmp<wanted_locks>);

// The sequences and tables in the order in which our functions write to them, of which nothing is changed that a reader
// could notice. Then the views, which are replaced.
wanted_locks find_relations(Oid extension) {
    const catalog& ours = our_catalog();
    wanted_locks found{};
    for (const Oid relation :
         {ours.channel_id_seq, ours.subscription_id_seq, ours.channel, ours.subscription, ours.channel_privilege,
          ours.notification, ours.dead_letter, ours.processed, ours.broadcast, ours.stat_count})
        found.add(relation, ShareRowExclusiveLock);

    for_each_member(extension, [&found](Oid of_class, Oid object) {
        if (of_class == RelationRelationId && get_rel_relkind(object) == RELKIND_VIEW)
            found.add(object, AccessExclusiveLock);
    });
    return found;
}

// Each lock is waited for as long as is left of the time.
void take_all_within(const wanted_locks& wanted, int milliseconds) {
    const TimestampTz deadline = GetCurrentTimestamp() + int64{milliseconds} * 1000;
    for (int i = 0; i < wanted.count; ++i) {
        LockTimeout = Max(1, static_cast<int>(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline)));
        LockRelationOid(wanted.items[i].relation, wanted.items[i].mode);
    }
    LockTimeout = Max(1, static_cast<int>(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline)));
    lock_grants();
}

// In a sub-transaction, which keeps the locks, or gives them back when one of them is not to be had.
bool try_to_take_all(const wanted_locks& wanted, int milliseconds) {
    const MemoryContext context = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    const int lock_timeout = LockTimeout;
    volatile bool taken = false;
    BeginInternalSubTransaction(nullptr);
    PG_TRY();
    {
        take_all_within(wanted, milliseconds);
        ReleaseCurrentSubTransaction();
        taken = true;
    }
    PG_CATCH();
    {
        LockTimeout = lock_timeout;
        const int sqlstate = geterrcode();
        if (sqlstate != ERRCODE_LOCK_NOT_AVAILABLE && sqlstate != ERRCODE_T_R_DEADLOCK_DETECTED)
            PG_RE_THROW();
        MemoryContextSwitchTo(context);
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    LockTimeout = lock_timeout;
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    return taken;
}

void pause(int milliseconds) {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

// The pauses grow, so that a transaction that stays open holds up the others little.
void take_all(const wanted_locks& wanted) {
    constexpr int longest_pause_ms = 2000;
    const int patience_ms = Max(DeadlockTimeout / 2, 1);
    for (int pause_ms = 20; !try_to_take_all(wanted, patience_ms); pause_ms = Min(2 * pause_ms, longest_pause_ms))
        pause(pause_ms);
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_begin_update) {
    const Oid extension = extension_of_script();
    const Oid schema = get_namespace_oid("pgpubsub", true);
    if (!OidIsValid(schema) || getExtensionOfObject(NamespaceRelationId, schema) != extension)
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("schema \"pgpubsub\" does not belong to extension \"pgpubsub\""),
                errdetail("The extension's schema is named %s now.", our_schema_name()),
                errhint("Rename the extension's schema to pgpubsub for the update, and any other of that name before."));
    take_all(find_relations(extension));
    PG_RETURN_VOID();
}
