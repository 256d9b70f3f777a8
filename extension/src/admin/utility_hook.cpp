#include "admin/utility_hook.hpp"

#include "admin/drop_extension.hpp"
#include "admin/role_commands.hpp"
#include "capture/capture_right.hpp"
#include "capture/capture_trigger.hpp"
#include "capture/filter_columns.hpp"
#include "channel/catalog.hpp"
#include "pg/compat.hpp"
#include "place/place.hpp"
#include "shmem/databases.hpp"
#include "shmem/sessions.hpp"
#include "wakeup/wakeup.hpp"

#include <signal.h>

namespace pgpubsub {
namespace {

// PostgreSQL itself waits up to 5 s for other sessions to leave.
constexpr int patience_ms = 5000;
constexpr int64 pause_after_command = USECS_PER_SEC / 2;

ProcessUtility_hook_type previous_hook = nullptr;

void note_listening(const Node* command) {
    if (IsA(command, ListenStmt))
        note_listen(reinterpret_cast<const ListenStmt*>(command)->conditionname);
    else if (IsA(command, UnlistenStmt))
        note_unlisten(reinterpret_cast<const UnlistenStmt*>(command)->conditionname);
    else if (IsA(command, DiscardStmt) && reinterpret_cast<const DiscardStmt*>(command)->target == DISCARD_ALL)
        note_unlisten(nullptr);
}

bool commits_prepared(const Node* command) {
    return IsA(command, TransactionStmt) &&
           reinterpret_cast<const TransactionStmt*>(command)->kind == TRANS_STMT_COMMIT_PREPARED;
}

// The launcher may not know of a database that was copied, or in which a prepared transaction made the extension.
void ask_for_worker_if_needed() {
    shared_database* const d = known_database_entry(MyDatabaseId);
    const bool is_known = d != nullptr && (has_worker(d) || pg_atomic_read_u32(&d->is_wanted) != 0);
    if (!is_known && OidIsValid(our_extension()))
        ask_for_worker();
}

bool creates_our_extension(const Node* command) {
    return IsA(command, CreateExtensionStmt) &&
           strcmp(reinterpret_cast<const CreateExtensionStmt*>(command)->extname, "pgpubsub") == 0;
}

DefElem* find_option(List* options, const char* name) {
    ListCell* cell;
    foreach (cell, options) {
        auto* const option = static_cast<DefElem*>(lfirst(cell));
        if (strcmp(option->defname, name) == 0)
            return option;
    }
    return nullptr;
}

// PostgreSQL by itself gives an OID once. But CREATE DATABASE ... OID may give a database the OID of a dropped one: a
// copy of the same template, with the same files.
bool may_give_oid_again(const Node* command) {
    return IsA(command, CreatedbStmt) &&
           find_option(reinterpret_cast<const CreatedbStmt*>(command)->options, "oid") != nullptr;
}

// Returns the database that must have no sessions for the command; null: the command is another one.
const char* database_to_leave(const Node* command) {
    if (IsA(command, DropdbStmt))
        return reinterpret_cast<const DropdbStmt*>(command)->dbname;
    if (IsA(command, RenameStmt)) {
        const auto* const rename = reinterpret_cast<const RenameStmt*>(command);
        return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
    }
    if (IsA(command, AlterDatabaseStmt)) {
        const auto* const alter = reinterpret_cast<const AlterDatabaseStmt*>(command);
        return find_option(alter->options, "tablespace") != nullptr ? alter->dbname : nullptr;
    }
    if (IsA(command, CreatedbStmt)) {
        DefElem* const option = find_option(reinterpret_cast<const CreatedbStmt*>(command)->options, "template");
        return option != nullptr && option->arg != nullptr ? defGetString(option) : "template1";
    }
    return nullptr;
}

// If the command would be refused anyway, no worker is sent away.
shared_database* find_worker_in_the_way(const Node* command, ProcessUtilityContext context) {
    const char* const name = database_to_leave(command);
    if (name == nullptr || context != PROCESS_UTILITY_TOPLEVEL || !IsTransactionState() || IsTransactionBlock())
        return nullptr;
    const Oid database = get_database_oid(name, true);
    if (!OidIsValid(database) || database == MyDatabaseId ||
        !(superuser() || owns_object(DatabaseRelationId, database, GetUserId())))
        return nullptr;
    int place = 0;
    while (shared_database* const d = database_at(place++))
        if (pg_atomic_read_u32(&d->database) == database)
            return d;
    return nullptr;
}

void send_away(shared_database* d) {
    for (int waited = 0; waited < patience_ms; waited += 10) {
        SpinLockAcquire(&d->lock);
        const bool is_there = has_worker(d);
        const int pid = d->worker_pid;
        SpinLockRelease(&d->lock);
        if (!is_there)
            return;
        if (waited == 0 && pid > 0)
            kill(pid, SIGTERM);
        CHECK_FOR_INTERRUPTS();
        pg_usleep(10'000);
    }
}

bool concerns_captures(const Node* command) {
    return IsA(command, AlterTableStmt) || IsA(command, CreateTrigStmt) || IsA(command, RenameStmt);
}

void capture_follows(const Node* command) {
    check_trigger_after(command);
    update_column_arguments_after(command);
    check_capture_rights_after(command);
}

ProcessUtility_hook_type next_hook() { return previous_hook != nullptr ? previous_hook : standard_ProcessUtility; }

void let_go(int, Datum held) {
    auto* const d = reinterpret_cast<shared_database*>(DatumGetPointer(held));
    // Only after this transaction has ended.
    const int64 now = steady_now();
    SpinLockAcquire(&d->lock);
    d->retry_at = now + pause_after_command;
    SpinLockRelease(&d->lock);
    pg_atomic_fetch_sub_u32(&d->holds, 1);
    wake_launcher();
}

void note_before(const Node* command) {
    note_listening(command);
    if (drops_extension(command))
        look_at_extension_at_commit();
    else if (creates_our_extension(command))
        ask_for_worker_at_commit();
    else if (IsA(command, CreatedbStmt) || IsA(command, AlterDatabaseStmt))
        look_at_databases_at_commit();
    else if (IsA(command, ListenStmt))
        ask_for_worker_if_needed();
}

// The arguments of a hook.
struct call {
    PlannedStmt* planned;
    const char* query;
    bool read_only_tree;
    ProcessUtilityContext context;
    ParamListInfo params;
    QueryEnvironment* environment;
    DestReceiver* destination;
    QueryCompletion* completion;

    void pass_on() const {
        const bool gives_oid_again = may_give_oid_again(planned->utilityStmt);
        next_hook()(planned, query, read_only_tree, context, params, environment, destination, completion);
        // The dropped database has no sessions any more, and the new one has none before it is committed.
        if (gives_oid_again)
            forget_places();
    }
};

pg_noinline void execute_without_worker(const call& c, shared_database* d) {
    pg_atomic_fetch_add_u32(&d->holds, 1);
    PG_ENSURE_ERROR_CLEANUP(let_go, PointerGetDatum(d));
    {
        send_away(d);
        c.pass_on();
    }
    PG_END_ENSURE_ERROR_CLEANUP(let_go, PointerGetDatum(d));
    let_go(0, PointerGetDatum(d));
}

void execute_and_follow(const call& c) {
    const Node* const command = c.planned->utilityStmt;
    // Read before the command is executed: a ROLLBACK frees its own statement and plan.
    const bool reassigns = IsA(command, ReassignOwnedStmt);
    const bool grants = IsA(command, GrantStmt);
    const bool concerns = concerns_captures(command);
    const bool may_bring_extension = has_shared_memory() && commits_prepared(command);
    const List* const captures = captures_that_may_lose_right(command);
    if (drops_extension(command))
        lock_before_drop(reinterpret_cast<const DropStmt*>(command));
    c.pass_on();
    if (may_bring_extension)
        ask_for_worker_if_needed();
    if (reassigns)
        after_reassign_owned(reinterpret_cast<const ReassignOwnedStmt*>(command));
    if (grants)
        after_grant(reinterpret_cast<const GrantStmt*>(command));
    if (concerns)
        capture_follows(command);
    warn_of_lost_rights(captures);
}

void execute(PlannedStmt* planned, const char* query, bool read_only_tree, ProcessUtilityContext context,
             ParamListInfo params, QueryEnvironment* environment, DestReceiver* destination,
             QueryCompletion* completion) {
    const call c = {planned, query, read_only_tree, context, params, environment, destination, completion};
    shared_database* d = nullptr;
    if (has_shared_memory()) {
        note_before(planned->utilityStmt);
        d = find_worker_in_the_way(planned->utilityStmt, context);
    }
    if (d != nullptr)
        execute_without_worker(c, d);
    else
        execute_and_follow(c);
}

}  // namespace

void watch_utility_commands() {
    previous_hook = ProcessUtility_hook;
    ProcessUtility_hook = execute;
}

}  // namespace pgpubsub
