// All differences between the versions of PostgreSQL, each behind a function or a constant. The comment beside a
// version's number names the commit or the header that made the difference. test/lib/postgresql-versions lists the
// versions that are tested.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// The arguments that a signal handler passes on to another handler.
#if PG_VERSION_NUM >= 190000  // a second argument: SIGNAL_ARGS in c.h
#define PASSED_SIGNAL_ARGS postgres_signal_arg, pg_siginfo
#else
#define PASSED_SIGNAL_ARGS postgres_signal_arg
#endif

inline IndexScanDesc begin_index_scan(Relation heap, Relation index, Snapshot snapshot, int keys) {
#if PG_VERSION_NUM >= 190000  // dcd8cc1c852c: an argument for flags
    return index_beginscan(heap, index, snapshot, nullptr, keys, 0, SO_NONE);
#elif PG_VERSION_NUM >= 180000  // 0fbceae841cb: an argument for instrumentation
    return index_beginscan(heap, index, snapshot, nullptr, keys, 0);
#else
    return index_beginscan(heap, index, snapshot, keys, 0);
#endif
}

// Begins to fetch rows by index entries that were not found by a scan.
inline IndexFetchTableData* begin_index_fetch(Relation heap) {
#if PG_VERSION_NUM >= 190000  // an argument for flags: table_index_fetch_begin in tableam.h
    return table_index_fetch_begin(heap, SO_NONE);
#else
    return table_index_fetch_begin(heap);
#endif
}

inline void executor_insert_index_entries(ResultRelInfo* target, TupleTableSlot* slot, EState* estate,
                                          [[maybe_unused]] bool only_summarizing = false) {
#if PG_VERSION_NUM >= 190000  // flags in place of the bools, in another order: EIIT_IS_UPDATE in executor.h
    ExecInsertIndexTuples(target, estate, only_summarizing ? EIIT_ONLY_SUMMARIZING : 0, slot, NIL, nullptr);
#elif PG_VERSION_NUM >= 160000  // 19d8e2308bc5: an argument for summarizing indexes
    ExecInsertIndexTuples(target, slot, estate, false, false, nullptr, NIL, only_summarizing);
#else
    ExecInsertIndexTuples(target, slot, estate, false, false, nullptr, NIL);
#endif
}

// Which indexes need an entry for a new version of a row.
enum class index_update { none, summarizing, all };

// Stores a new version of the row at `tid`. Waits for a transaction that has locked or is changing the row.
inline TM_Result update_tuple(Relation heap, ItemPointer tid, TupleTableSlot* slot, TM_FailureData* failure,
                              index_update* told) {
    constexpr bool wait = true;  // heap_update() has an assertion against the other value
    LockTupleMode mode;
    const CommandId cid = GetCurrentCommandId(true);
#if PG_VERSION_NUM >= 160000  // 19d8e2308bc5: an enum in place of the bool
    TU_UpdateIndexes indexes;
#if PG_VERSION_NUM >= 190000  // an argument for options: TABLE_UPDATE_NO_LOGICAL in tableam.h
    const TM_Result result = table_tuple_update(heap, tid, slot, cid, 0, GetActiveSnapshot(), InvalidSnapshot, wait,
                                                failure, &mode, &indexes);
#else
    const TM_Result result =
        table_tuple_update(heap, tid, slot, cid, GetActiveSnapshot(), InvalidSnapshot, wait, failure, &mode, &indexes);
#endif
    *told = indexes == TU_None ? index_update::none : indexes == TU_All ? index_update::all : index_update::summarizing;
#else
    bool all;
    const TM_Result result =
        table_tuple_update(heap, tid, slot, cid, GetActiveSnapshot(), InvalidSnapshot, wait, failure, &mode, &all);
    *told = all ? index_update::all : index_update::none;
#endif
    return result;
}

inline TM_Result delete_tuple(Relation heap, ItemPointer tid, bool wait, TM_FailureData* failure) {
    const CommandId cid = GetCurrentCommandId(true);
#if PG_VERSION_NUM >= 190000  // options in place of the bool, in another order: TABLE_DELETE_NO_LOGICAL in tableam.h
    return table_tuple_delete(heap, tid, cid, 0, GetActiveSnapshot(), InvalidSnapshot, wait, failure);
#else
    return table_tuple_delete(heap, tid, cid, GetActiveSnapshot(), InvalidSnapshot, wait, failure, false);
#endif
}

// The caller holds XactTruncationLock.
inline TransactionId oldest_in_commit_log() {
#if PG_VERSION_NUM >= 170000  // another name: transam.h
    return TransamVariables->oldestClogXid;
#else
    return ShmemVariableCache->oldestClogXid;
#endif
}

// Returns a number that differs for each transaction of the session.
inline LocalTransactionId local_transaction_id() {
#if PG_VERSION_NUM >= 170000  // ab355e3a88de: in a struct of its own
    return MyProc->vxid.lxid;
#else
    return MyProc->lxid;
#endif
}

inline bool holds_lock(const LOCKTAG* tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000  // an argument for whether stronger locks count: LockHeldByMe in lock.h
    return LockHeldByMe(tag, mode, false);
#else
    return LockHeldByMe(tag, mode);
#endif
}

// Takes a lock for the transaction if that needs no wait. A full lock table counts as "not available".
inline LockAcquireResult acquire_lock_if_free(const LOCKTAG* tag, LOCKMODE mode) {
    constexpr bool for_session = false;
    constexpr bool dont_wait = true;
    constexpr bool error_when_full = false;
#if PG_VERSION_NUM >= 180000  // an argument for logging what was not available: LockAcquireExtended in lock.h
    return LockAcquireExtended(tag, mode, for_session, dont_wait, error_when_full, nullptr, false);
#else
    return LockAcquireExtended(tag, mode, for_session, dont_wait, error_when_full, nullptr);
#endif
}

// Takes a lock for the transaction, and waits for it; false if the lock table is full.
inline bool acquire_lock_if_room(const LOCKTAG* tag, LOCKMODE mode) {
    constexpr bool for_session = false;
    constexpr bool dont_wait = false;
    constexpr bool error_when_full = false;
#if PG_VERSION_NUM >= 180000  // as above
    return LockAcquireExtended(tag, mode, for_session, dont_wait, error_when_full, nullptr, false) !=
           LOCKACQUIRE_NOT_AVAIL;
#else
    return LockAcquireExtended(tag, mode, for_session, dont_wait, error_when_full, nullptr) != LOCKACQUIRE_NOT_AVAIL;
#endif
}

// Returns the index of the primary key; InvalidOid if there is none, or only a deferrable one.
inline Oid primary_key_index(Relation table) {
#if PG_VERSION_NUM >= 180000  // an argument for deferrable ones: RelationGetPrimaryKeyIndex in relcache.h
    return RelationGetPrimaryKeyIndex(table, false);
#else
    return RelationGetPrimaryKeyIndex(table);
#endif
}

// Returns whether `role` may make `new_owner` the owner of its objects, by the rule of ALTER ... OWNER TO.
inline bool may_give_to(Oid role, Oid new_owner) {
#if PG_VERSION_NUM >= 160000  // 3d14e171e9e2: membership alone does not allow SET ROLE
    return member_can_set_role(role, new_owner);
#else
    return is_member_of_role(role, new_owner);
#endif
}

// The error message for a role that may not, in the words of ALTER ... OWNER TO.
#if PG_VERSION_NUM >= 160000  // 3d14e171e9e2
inline constexpr char may_not_give_to[] = "must be able to SET ROLE \"%s\"";
#else
inline constexpr char may_not_give_to[] = "must be member of role \"%s\"";
#endif

// Returns whether the role owns the object. catalog: of a relation, a database or an extension.
inline bool owns_object(Oid catalog, Oid object, Oid role) {
#if PG_VERSION_NUM >= 160000  // afbfc02983f8: one function for all kinds of object
    return object_ownercheck(catalog, object, role);
#else
    switch (catalog) {
        case RelationRelationId: return pg_class_ownercheck(object, role);
        case DatabaseRelationId: return pg_database_ownercheck(object, role);
        default: Assert(catalog == ExtensionRelationId); return pg_extension_ownercheck(object, role);
    }
#endif
}

// Calls walk(node, context) for each node below `node`, until one call returns true.
inline bool walk_expression(Node* node, bool (*walk)(Node*, void*), void* context) {
#if PG_VERSION_NUM >= 160000  // 1c27d16e6e5c: a walker has a prototype
    return expression_tree_walker(node, walk, context);
#else
    return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walk)), context);
#endif
}

#if PG_VERSION_NUM >= 160000  // 3b00a944a9b3: TRUNCATE triggers on foreign tables
inline constexpr bool foreign_tables_have_truncate_triggers = true;
#else
inline constexpr bool foreign_tables_have_truncate_triggers = false;
#endif

// The type by which a syscache callback learns which cache is meant.
#if PG_VERSION_NUM >= 190000  // an enum in place of int: SyscacheCallbackFunction in inval.h
using syscache_id = SysCacheIdentifier;
#else
using syscache_id = int;
#endif

// Returns whether the rows that the session writes came from elsewhere, by replication.
inline bool session_has_origin() {
#if PG_VERSION_NUM >= 190000  // in a struct of its own: ReplOriginXactState in origin.h
    return replorigin_xact_state.origin != InvalidReplOriginId;
#else
    return replorigin_session_origin != InvalidRepOriginId;
#endif
}

// Returns whether the column's value is computed when it is read. A row has no value for such a column.
inline bool is_virtual([[maybe_unused]] const FormData_pg_attribute& column) {
#if PG_VERSION_NUM >= 180000  // 83ea6c54025b
    return column.attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
    return false;
#endif
}

// Returns a copy of the condition of a trigger, in which virtual generated columns are computed.
inline Node* prepared_trigger_condition(const Node* condition, [[maybe_unused]] Relation table) {
    Node* const copy = static_cast<Node*>(copyObjectImpl(condition));
#if PG_VERSION_NUM >= 180000  // 83ea6c54025b
    return expand_generated_columns_in_expr(expand_generated_columns_in_expr(copy, table, PRS2_OLD_VARNO), table,
                                            PRS2_NEW_VARNO);
#else
    return copy;
#endif
}

// Returns entry i, counted from 1, of those that pg_stat_activity shows.
inline const PgBackendStatus& backend_status(int i) {
#if PG_VERSION_NUM >= 160000  // another name: pgstat_get_local_beentry_by_index in backend_status.h
    return pgstat_get_local_beentry_by_index(i)->backendStatus;
#else
    return pgstat_fetch_stat_local_beentry(i)->backendStatus;
#endif
}

// Whether PostgreSQL has the setting transaction_timeout.
inline constexpr bool has_transaction_timeout = PG_VERSION_NUM >= 170000;

// Returns what is wrong with the syntax of a JSON text; null if nothing is. The message is in the current memory
// context. Escapes are not translated, since that could report an ERROR.
inline const char* json_syntax_error(std::string_view json) {
    char* const text = c_string(json);
    const int length = static_cast<int>(json.size());
#if PG_VERSION_NUM >= 170000  // 1c99cde2f344: the caller may provide the lexer's state
    JsonLexContext* const lex = makeJsonLexContextCstringLen(nullptr, text, length, GetDatabaseEncoding(), false);
#else
    JsonLexContext* const lex = makeJsonLexContextCstringLen(text, length, GetDatabaseEncoding(), false);
#endif
    const JsonParseErrorType error = pg_parse_json(lex, &nullSemAction);
    return error == JSON_SUCCESS ? nullptr : json_errdetail(error, lex);
}

}  // namespace pgpubsub
