// pgpubsub.attach() and detach(): the capture of a table into a channel, made and dropped by name of table and channel.
//
// Both run plain CREATE TRIGGER, ALTER TABLE and DROP TRIGGER as the caller. So PostgreSQL's own rules apply, and the
// triggers are dumped and restored with the table. Every name that attach() and detach() add to a command is qualified;
// only the condition is read by the caller's search_path.
//
// Steps:
// 1. Find out what must be done (attachment_arguments.hpp: what is wanted; attachment_triggers.hpp: the commands that
//    lead there), under a lock that disturbs nobody. So an error is reported before anybody has to wait,
//    and a call that changes nothing holds nobody up.
// 2. Make the channel. It is made before the table is locked, so that nobody has to wait for the table because another
//    session is making the same channel.
// 3. Take the lock that is needed, on all partitions too, and find out again what must be done.
// 4. Do it, all under this lock, so that no change is missed in between or captured twice.
#include "capture/attachment_arguments.hpp"
#include "capture/attachment_triggers.hpp"
#include "capture/row_key.hpp"
#include "channel/arguments.hpp"
#include "channel/catalog.hpp"
#include "channel/channel_lock.hpp"
#include "pg/compat.hpp"

using namespace pgpubsub;

namespace {

[[noreturn]] void no_such_table(Oid oid) {
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", oid));
}

[[noreturn]] void cannot_capture(const char* name, const char* why) {
    ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("cannot capture changes of \"%s\": it %s", name, why));
}

void check_owner(Oid oid, char kind, const char* name) {
    if (!owns_object(RelationRelationId, oid, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), name);
}

bool is_table(char kind) {
    return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE || kind == RELKIND_FOREIGN_TABLE;
}

// Reports an error for a relation that is not a table: only tables can be attached.
void check_can_be_attached(Oid oid, std::string_view channel_name) {
    const char* const name = get_rel_name(oid);
    if (name == nullptr || is_table(get_rel_relkind(oid)))
        return;
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
            errmsg("\"%s\" is not attached to channel \"%s\"", name, c_string(channel_name)),
            errdetail("It is no table, and only tables are attached."));
}

// Opens a table of the caller. The owner is checked before the lock is requested, so that no other user can hold up the
// table's writers by waiting for it.
Relation open_own_table(Oid oid, LOCKMODE mode) {
    const char* const name = get_rel_name(oid);
    if (name == nullptr)
        no_such_table(oid);
    const char kind = get_rel_relkind(oid);
    if (kind == RELKIND_VIEW || kind == RELKIND_MATVIEW)
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
                errmsg("cannot capture changes of \"%s\": it is a view", name), errhint("Attach the tables below it."));
    if (!is_table(kind))
        cannot_capture(name, "is not a table");
    if (IsCatalogRelationOid(oid))
        cannot_capture(name, "is a system catalog");
    if (is_part_of_extension(oid))
        cannot_capture(name, "belongs to pgpubsub itself");
    check_owner(oid, kind, name);
    const Relation table = try_relation_open(oid, mode);
    if (table == nullptr)
        no_such_table(oid);
    check_owner(oid, kind, name);
    return table;
}

// Returns the lock that the plan needs: one that disturbs nobody if there is nothing to do; one that blocks writers if
// no trigger is dropped; the exclusive lock of the table for DROP TRIGGER.
LOCKMODE lock_for(const attachment_plan& plan) {
    return plan.commands == NIL ? AccessShareLock : plan.has_drop ? AccessExclusiveLock : ShareRowExclusiveLock;
}

// Opens the table, and locks its partitions too if anything is to be done.
Relation open_with_partitions(Oid oid, LOCKMODE mode) {
    const Relation table = open_own_table(oid, mode);
    if (mode != AccessShareLock && table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
        find_all_inheritors(oid, mode, nullptr);
    return table;
}

// Releases all these locks.
void close_with_partitions(Relation table, LOCKMODE mode) {
    if (mode != AccessShareLock && table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE) {
        const ListCell* cell;
        foreach (cell, find_all_inheritors(RelationGetRelid(table), NoLock, nullptr))
            if (lfirst_oid(cell) != RelationGetRelid(table))
                UnlockRelationOid(lfirst_oid(cell), mode);
    }
    relation_close(table, mode);
}

// Warns that an ordered channel, whose only purpose is the order, will have none.
void warn_of_no_order(const char* table, const channel& c) {
    ereport(WARNING, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("changes of table \"%s\" will be handed out in no order", table),
            errdetail("Channel \"%s\" is ordered by key, and the table has neither a primary key nor an index as its "
                      "replica identity; a notification without a key waits for no other.",
                      c.name),
            errhint("Add a primary key, or name the columns of the key in \"key_columns\"."));
}

void carry_out(const attachment_plan& plan) {
    SPI_connect();
    const ListCell* cell;
    foreach (cell, plan.commands) {
        const auto* const command = static_cast<const char*>(lfirst(cell));
        if (SPI_execute(command, false, 0) < 0)
            elog(ERROR, "could not run \"%s\"", command);
    }
    SPI_finish();
}

channel make_channel(const char* name, Oid owner) {
    bool created;
    const channel c = get_or_create_channel(name, owner, &created);
    if (created)
        ereport(NOTICE, errmsg("channel \"%s\" was created", c.name));
    else
        check_privilege(c, owner, privilege::publish);
    return c;
}

// The role that took the name first owns the channel, and can read what is captured. Reports that role if the table's
// owner is another one.
void tell_of_other_owner(const channel& c, Oid table_owner, const char* table_name) {
    const Oid owner = owner_of(c);
    const char* const name = OidIsValid(owner) ? GetUserNameFromId(owner, true) : nullptr;
    if (name != nullptr && !is_member_of_role_nosuper(table_owner, owner))
        ereport(NOTICE, errmsg("channel \"%s\" belongs to role \"%s\"", c.name, name),
                errdetail("That role, and those that it lets consume from the channel, can read what is captured of "
                          "table \"%s\".",
                          table_name));
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_attach) {
    PreventCommandIfReadOnly("pgpubsub.attach()");
    using at = attach_arguments;
    require(fcinfo, at::relation, "relation");
    const Oid oid = PG_GETARG_OID(at::relation);
    const char* const channel_name = c_string(text_argument(fcinfo, at::channel, "channel"));
    check_name(channel_name, "channel");

    LOCKMODE held = AccessShareLock;
    Relation table = open_with_partitions(oid, held);
    attachment wanted = attachment_arguments(fcinfo, table, channel_name);
    attachment_plan plan = plan_attach(table, wanted);
    // A lock that is too weak is released before the stronger lock is requested. A session that holds the one and waits
    // for the other may deadlock with a session that has read the table and is going to write to it.
    while (lock_for(plan) > held) {
        const Oid first_owner = table->rd_rel->relowner;
        close_with_partitions(table, held);
        make_channel(channel_name, first_owner);
        held = lock_for(plan);
        table = open_with_partitions(oid, held);
        wanted = attachment_arguments(fcinfo, table, channel_name);
        plan = plan_attach(table, wanted);
    }
    const Oid owner = table->rd_rel->relowner;
    const char* const table_name = pstrdup(RelationGetRelationName(table));
    const bool lacks_key =
        (wanted.events & row_events) != 0 && wanted.key_columns == NIL && default_key_columns(table).count == 0;
    relation_close(table, NoLock);

    // The channel is locked, so that it stays until the transaction ends.
    channel c;
    do
        c = make_channel(channel_name, owner);
    while (!use_channel(&c));
    if (plan.commands != NIL)
        tell_of_other_owner(c, owner, table_name);
    if (c.ordered && lacks_key)
        warn_of_no_order(table_name, c);
    if (wanted.why_by_row != nullptr && plan.commands != NIL)
        ereport(NOTICE, errmsg("changes of table \"%s\" are captured by row-level triggers", table_name),
                errdetail("%s", wanted.why_by_row));
    carry_out(plan);
    PG_RETURN_VOID();
}

struct detach_arguments {
    enum : int { relation, channel };
};

PGPUBSUB_FUNCTION(pgpubsub_detach) {
    PreventCommandIfReadOnly("pgpubsub.detach()");
    using at = detach_arguments;
    require(fcinfo, at::relation, "relation");
    const Oid oid = PG_GETARG_OID(at::relation);
    const std::string_view channel_name = text_argument(fcinfo, at::channel, "channel");
    check_can_be_attached(oid, channel_name);

    Relation table = open_own_table(oid, AccessShareLock);
    attachment_plan plan = plan_detach(table, channel_name);
    relation_close(table, AccessShareLock);
    table = open_with_partitions(oid, lock_for(plan));
    plan = plan_detach(table, channel_name);
    if (plan.other_trigger != nullptr)
        ereport(NOTICE,
                errmsg("trigger \"%s\" of table \"%s\" goes on capturing into channel \"%s\"", plan.other_trigger,
                       RelationGetRelationName(table), c_string(channel_name)),
                errdetail("It was not made by pgpubsub.attach(), or has been renamed since."));
    relation_close(table, NoLock);
    carry_out(plan);
    PG_RETURN_VOID();
}
