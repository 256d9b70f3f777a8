#include "capture/replication.hpp"

#include "channel/arguments.hpp"
#include "channel/catalog.hpp"
#include "channel/catalog_row.hpp"
#include "pg/compat.hpp"

namespace pgpubsub {
namespace {

bool is_hidden(Form_pg_class relation) {
    return OidIsValid(relation->relrewrite) && relation->relreplident == REPLICA_IDENTITY_NOTHING;
}

bool is_hidden(Oid relation) {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    const bool hidden = HeapTupleIsValid(tuple) && is_hidden(reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple)));
    if (HeapTupleIsValid(tuple))
        ReleaseSysCache(tuple);
    return hidden;
}

// VACUUM also changes rows of pg_class, and takes the same lock.
void hide(Oid relation, bool wait) {
    if (is_hidden(relation))
        return;
    if (wait)
        LockRelationOid(relation, ShareUpdateExclusiveLock);
    else if (!ConditionalLockRelationOid(relation, ShareUpdateExclusiveLock))
        return;
    // A GRANT on the table changes its row without any lock on the table.
    if (!lock_catalog_row(RelationRelationId, relation, wait ? if_busy::wait : if_busy::give_up))
        return;
    const Relation classes = table_open(RelationRelationId, RowExclusiveLock);
    const HeapTuple tuple = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relation));
    if (HeapTupleIsValid(tuple)) {
        const auto form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
        form->relrewrite = relation;
        form->relreplident = REPLICA_IDENTITY_NOTHING;
        CatalogTupleUpdate(classes, &tuple->t_self, tuple);
    }
    table_close(classes, RowExclusiveLock);
    CommandCounterIncrement();
}

}  // namespace

void hide_from_decoding(bool wait) {
    const catalog& ours = our_catalog();
    const Oid tables[] = {ours.notification, ours.dead_letter,       ours.processed,
                          ours.broadcast,    ours.channel_privilege, ours.stat_count};
    for (const Oid table : tables) {
        const Relation rel = try_table_open(table, AccessShareLock);
        if (rel == nullptr)
            return;  // the extension was just dropped
        const Oid toast = rel->rd_rel->reltoastrelid;
        table_close(rel, NoLock);
        hide(table, wait);
        if (OidIsValid(toast))
            hide(toast, wait);
    }
}

}  // namespace pgpubsub

using namespace pgpubsub;

PGPUBSUB_FUNCTION(pgpubsub_hide_from_decoding) {
    PreventCommandIfReadOnly("pgpubsub.hide_from_decoding()");
    hide_from_decoding(true);
    PG_RETURN_VOID();
}

// Row trigger of the private tables that fires only with session_replication_role = replica. A restore may set that
// too, but has no replication origin.
PGPUBSUB_FUNCTION(pgpubsub_skip_replicated) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                errmsg("pgpubsub.skip_replicated() was not called as a trigger"));
    const auto* const data = reinterpret_cast<const TriggerData*>(fcinfo->context);
    if (IsLogicalWorker() || session_has_origin())
        return no_row;
    return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple);
}
