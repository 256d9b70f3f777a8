#include "worker/known_databases.hpp"

#include "pg/compat.hpp"
#include "pg/hash_table.hpp"
#include "shmem/databases.hpp"
#include "worker/worker.hpp"

namespace pgpubsub {
namespace {

bool is_open(const FormData_pg_database& database) {
    // -2 marks a database whose DROP DATABASE was interrupted.
    return database.datallowconn && !database.datistemplate && database.datconnlimit != -2;
}

struct seen_database {
    Oid oid;  // the hash key
    bool is_open;
};
HTAB* seen = nullptr;
bool may_have_changed = true;

void note_change_of_database(Datum, syscache_id, uint32) { may_have_changed = true; }

// Asks for a worker for each database that is new, or that accepts connections now and did not before.
void look_at_databases() {
    may_have_changed = false;
    if (seen == nullptr) {
        seen = make_hash_table<Oid, seen_database>("pgpubsub databases", TopMemoryContext, 64);
    }
    // The invalidations of a reported change may not have arrived yet.
    InvalidateSystemCaches();
    may_have_changed = false;
    StartTransactionCommand();
    const Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    const TableScanDesc scan = table_beginscan_catalog(databases, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
        const auto* const database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        const Oid oid = database->oid;
        bool found;
        auto* const s = static_cast<seen_database*>(hash_search(seen, &oid, HASH_ENTER, &found));
        const bool was_open = found && s->is_open;
        s->is_open = is_open(*database);
        if (!s->is_open || was_open)
            continue;
        if (shared_database* const d = database_entry(oid)) {
            pg_atomic_write_u32(&d->is_wanted, 1);
            need_worker_at(d, at_once, DT_NOEND);
        }
    }
    table_endscan(scan);
    table_close(databases, AccessShareLock);
    CommitTransactionCommand();
}

}  // namespace

database_state state_of(Oid database) {
    database_state state{database_state::gone, {}};
    StartTransactionCommand();
    const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (HeapTupleIsValid(tuple)) {
        const auto* const form = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        state.is = is_open(*form) ? database_state::open : database_state::closed;
        state.name = form->datname;
        ReleaseSysCache(tuple);
    }
    CommitTransactionCommand();
    return state;
}

void watch_databases() { CacheRegisterSyscacheCallback(DATABASEOID, note_change_of_database, Datum{0}); }

void look_at_databases_if_changed() {
    if (databases_have_changed() || may_have_changed)
        look_at_databases();
}

bool may_have_worker(Oid database) {
    const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(tuple))
        return false;
    const bool may = is_open(*reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple)));
    ReleaseSysCache(tuple);
    return may;
}

}  // namespace pgpubsub
