#include "channel/catalog_row.hpp"

#include "pg/scan_keys.hpp"

namespace pgpubsub {
namespace {

// Tries to lock the row. It does not use the tid that a cache has: the row may have moved since, and VACUUM may have
// given the tid to another row. The scan sees what is committed now, and keeps its page as it is.
TM_Result try_to_lock(Relation catalog, Oid object, LockWaitPolicy policy, TransactionId* changed_by) {
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    const Oid catalog_oid = RelationGetRelid(catalog);
    ScanKeyData keys[] = {equals_oid(get_object_attnum_oid(catalog_oid), object)};
    const SysScanDesc scan =
        systable_beginscan(catalog, get_object_oid_index(catalog_oid), true, snapshot, lengthof(keys), keys);
    TM_Result outcome = TM_Ok;
    if (const HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple)) {
        *changed_by = HeapTupleHeaderGetXmin(tuple->t_data);
        TupleTableSlot* const slot = table_slot_create(catalog, nullptr);
        TM_FailureData failure;
        ItemPointerData place = tuple->t_self;
        outcome = table_tuple_lock(catalog, &place, snapshot, slot, GetCurrentCommandId(true), LockTupleNoKeyExclusive,
                                   policy, 0, &failure);
        ExecDropSingleTupleTableSlot(slot);
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    return outcome;
}

// Waits until the session has heard of the changes by that transaction. A transaction is seen to have committed a
// moment before it tells others what to forget; its lock lasts longer.
void hear_of_changes_by(TransactionId id) {
    if (TransactionIdIsNormal(id) && !TransactionIdIsCurrentTransactionId(id))
        XactLockTableWait(id, nullptr, nullptr, XLTW_None);
    AcceptInvalidationMessages();
}

}  // namespace

bool lock_catalog_row(Oid catalog_oid, Oid object, if_busy then) {
    const Relation catalog = table_open(catalog_oid, RowExclusiveLock);
    TransactionId changed_by = InvalidTransactionId;
    TM_Result outcome;
    do {
        CHECK_FOR_INTERRUPTS();
        outcome = try_to_lock(catalog, object, then == if_busy::wait ? LockWaitBlock : LockWaitSkip, &changed_by);
    } while (outcome == TM_Updated || outcome == TM_Deleted);  // while we waited: the row may have a new version
    table_close(catalog, NoLock);
    if (outcome == TM_WouldBlock)
        return false;
    if (outcome != TM_Ok && outcome != TM_SelfModified)
        elog(ERROR, "could not lock the row of object %u in catalog %u: %d", object, catalog_oid,
             static_cast<int>(outcome));
    hear_of_changes_by(changed_by);
    return true;
}

}  // namespace pgpubsub
