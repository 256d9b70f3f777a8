// All headers of PostgreSQL in one place, and the helpers that nearly every file needs. The differences between
// PostgreSQL's versions are in compat.hpp.
//
// Files that are pure logic never include this. The library is built without exceptions and without RTTI. An ERROR
// leaves a function by longjmp, which runs no destructor. So every object that lives across a call that may report an
// ERROR must have nothing to destroy; survives_longjmp asserts that at compile time. The memory context frees memory,
// and the resource owner closes relations.
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

// From libpq/libpq.h, which needs the headers of every library that the server was built with.
extern "C" bool pq_check_connection(void);

#include <span>
#include <string_view>
#include <type_traits>

// Defines an SQL-callable function. The prototype comes first, with its visibility: before PostgreSQL 16,
// PG_FUNCTION_INFO_V1 declares it without (upstream commit 089480c077056).
#define PGPUBSUB_FUNCTION(name)               \
    extern "C" {                              \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
    PG_FUNCTION_INFO_V1(name);                \
    }                                         \
    Datum name([[maybe_unused]] PG_FUNCTION_ARGS)

namespace pgpubsub {

template <typename T>
inline constexpr bool survives_longjmp = std::is_trivially_destructible_v<T>;

// Values of rows are kept beyond the memory context in which they were made.
static_assert(sizeof(Datum) == sizeof(int64), "pgpubsub needs a server of 64 bits");

// Runs f with `context` as the current memory context. After an ERROR nothing is put back, since the handler that
// catches the ERROR sets the context.
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

// The result of a trigger function that returns no row. (PointerGetDatum takes no nullptr since PostgreSQL 19.)
inline constexpr Datum no_row = 0;

// The result of a planner support function that does not support the request.
inline constexpr Datum not_supported = 0;

inline std::string_view view_of(const text* t) {
    return {VARDATA_ANY(t), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(t))};
}

// Returns a null-terminated copy in the current memory context.
inline char* c_string(std::string_view s) { return pnstrdup(s.data(), s.size()); }

}  // namespace pgpubsub
