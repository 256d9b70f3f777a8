// All headers of PostgreSQL, and every difference between its versions, in one place.
//
// Files that are pure logic never include this. The library is built without exceptions and without RTTI: an
// ERROR leaves a function by longjmp, which runs no destructor, so whatever lives across a call that may report one
// must have nothing to destroy. survives_longjmp says so at compile time; memory and relations are given back by the
// memory context and the resource owner.
#pragma once

#ifndef __cplusplus
#error "pgpubsub is written in C++"
#endif

extern "C" {
#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "pgpubsub needs PostgreSQL 15 or newer"
#endif

#include "access/detoast.h"
#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/subtrans.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/heap.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_database.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_shdepend.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "catalog/storage.h"
#include "commands/async.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "common/jsonapi.h"
#include "common/pg_prng.h"
#include "common/shortest_dec.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/pairingheap.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_clause.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_func.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "pgstat.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "replication/logicalworker.h"
#include "replication/origin.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteManip.h"
#include "storage/bufmgr.h"
#include "storage/condition_variable.h"
#include "storage/freespace.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/multirangetypes.h"
#include "utils/numeric.h"
#include "utils/portal.h"
#include "utils/rangetypes.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"
}

// Of libpq/libpq.h, which needs the headers of every library that the server was built with.
extern "C" bool pq_check_connection(void);

#include <span>
#include <string_view>
#include <type_traits>

// Defines an SQL-callable function. The prototype comes first with its visibility, since PG_FUNCTION_INFO_V1
// declares it without before PostgreSQL 16 (upstream commit 089480c077056).
#define PGPUBSUB_FUNCTION(name)                                        \
    extern "C" {                                                       \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                          \
    PG_FUNCTION_INFO_V1(name);                                         \
    }                                                                  \
    Datum name([[maybe_unused]] PG_FUNCTION_ARGS)

namespace pgpubsub {

template <typename T>
inline constexpr bool survives_longjmp = std::is_trivially_destructible_v<T>;

// Values of rows are kept beyond the memory context that they were made in.
static_assert(sizeof(Datum) == sizeof(int64), "pgpubsub needs a server of 64 bits");

// Runs f with `context` as the current memory context. After an ERROR the handler that catches it sets the context,
// so nothing is put back then.
template <typename F>
inline auto with_context(MemoryContext context, F f) {
    static_assert(survives_longjmp<F>);
    const MemoryContext before = MemoryContextSwitchTo(context);
    if constexpr (std::is_void_v<decltype(f())>) {
        f();
        MemoryContextSwitchTo(before);
    } else {
        const auto result = f();
        MemoryContextSwitchTo(before);
        return result;
    }
}

// What a trigger function returns that returns no row. (PointerGetDatum takes no nullptr since PostgreSQL 19.)
inline constexpr Datum no_row = 0;

// What a planner support function returns that can't tell what it is asked.
inline constexpr Datum not_supported = 0;

inline std::string_view view_of(const text* t) {
    return {VARDATA_ANY(t), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(t))};
}

// A null-terminated copy in the current memory context.
inline char* c_string(std::string_view s) { return pnstrdup(s.data(), s.size()); }

// --- differences between versions ------------------------------------------------------------------

// What a signal handler hands on to another one.
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

// For the rows that index entries point to, where the entries were not found by a scan.
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

// Which indexes must be told of a new version of a row.
enum class index_update { none, summarizing, all };

// Stores a new version of the row at `tid`; waits for a transaction that is at it.
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

// Another one for each transaction of the session.
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

// Takes a lock for the transaction if that needs no wait; a full lock table counts as not available.
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

// Takes a lock for the transaction, and waits for it; false when the lock table is full.
inline bool acquire_lock_if_room(const LOCKTAG* tag, LOCKMODE mode) {
    constexpr bool for_session = false;
    constexpr bool dont_wait = false;
    constexpr bool error_when_full = false;
#if PG_VERSION_NUM >= 180000  // as above
    return LockAcquireExtended(tag, mode, for_session, dont_wait, error_when_full, nullptr, false) != LOCKACQUIRE_NOT_AVAIL;
#else
    return LockAcquireExtended(tag, mode, for_session, dont_wait, error_when_full, nullptr) != LOCKACQUIRE_NOT_AVAIL;
#endif
}

// The index of the primary key, InvalidOid where there is none (or only a deferrable one).
inline Oid primary_key_index(Relation table) {
#if PG_VERSION_NUM >= 180000  // an argument for deferrable ones: RelationGetPrimaryKeyIndex in relcache.h
    return RelationGetPrimaryKeyIndex(table, false);
#else
    return RelationGetPrimaryKeyIndex(table);
#endif
}

// Whether the role may give things to the other one, as ALTER ... OWNER TO demands.
inline bool may_give_to(Oid role, Oid new_owner) {
#if PG_VERSION_NUM >= 160000  // 3d14e171e9e2: membership alone does not allow SET ROLE
    return member_can_set_role(role, new_owner);
#else
    return is_member_of_role(role, new_owner);
#endif
}

// What a role is told that may not, in the words of ALTER ... OWNER TO.
#if PG_VERSION_NUM >= 160000  // 3d14e171e9e2
inline constexpr char may_not_give_to[] = "must be able to SET ROLE \"%s\"";
#else
inline constexpr char may_not_give_to[] = "must be member of role \"%s\"";
#endif

inline bool owns_relation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000  // afbfc02983f8: one function for all kinds of object
    return object_ownercheck(RelationRelationId, relation, role);
#else
    return pg_class_ownercheck(relation, role);
#endif
}

inline bool owns_database(Oid database, Oid role) {
#if PG_VERSION_NUM >= 160000  // afbfc02983f8
    return object_ownercheck(DatabaseRelationId, database, role);
#else
    return pg_database_ownercheck(database, role);
#endif
}

inline bool owns_extension(Oid extension, Oid role) {
#if PG_VERSION_NUM >= 160000  // afbfc02983f8
    return object_ownercheck(ExtensionRelationId, extension, role);
#else
    return pg_extension_ownercheck(extension, role);
#endif
}

// Calls walk(node, context) for each node below, until one returns true.
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

// What a syscache callback is told.
#if PG_VERSION_NUM >= 190000  // an enum in place of int: SyscacheCallbackFunction in inval.h
using syscache_id = SysCacheIdentifier;
#else
using syscache_id = int;
#endif

// Whether what the session writes came from elsewhere, by replication.
inline bool session_has_origin() {
#if PG_VERSION_NUM >= 190000  // in a struct of its own: ReplOriginXactState in origin.h
    return replorigin_xact_state.origin != InvalidReplOriginId;
#else
    return replorigin_session_origin != InvalidRepOriginId;
#endif
}

// Whether the column's value is computed when it is read, so that a row has none.
inline bool is_virtual([[maybe_unused]] const FormData_pg_attribute& column) {
#if PG_VERSION_NUM >= 180000  // 83ea6c54025b
    return column.attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
    return false;
#endif
}

// A copy of the condition of a trigger, in which virtual generated columns are computed.
inline Node* prepared_trigger_condition(const Node* condition, [[maybe_unused]] Relation table) {
    Node* const copy = static_cast<Node*>(copyObjectImpl(condition));
#if PG_VERSION_NUM >= 180000  // 83ea6c54025b
    return expand_generated_columns_in_expr(expand_generated_columns_in_expr(copy, table, PRS2_OLD_VARNO), table, PRS2_NEW_VARNO);
#else
    return copy;
#endif
}

// The i-th entry, from 1 on, of what pg_stat_activity shows.
inline const PgBackendStatus& backend_status(int i) {
#if PG_VERSION_NUM >= 160000  // another name: pgstat_get_local_beentry_by_index in backend_status.h
    return pgstat_get_local_beentry_by_index(i)->backendStatus;
#else
    return pgstat_fetch_stat_local_beentry(i)->backendStatus;
#endif
}

// Whether there is the setting transaction_timeout.
inline constexpr bool has_transaction_timeout = PG_VERSION_NUM >= 170000;

// What is wrong with the syntax of a JSON text; null when nothing is. The message is in the current memory context.
// Escapes are not translated, since that could report an ERROR.
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
