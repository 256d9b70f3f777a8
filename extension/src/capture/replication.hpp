// How the private tables keep out of logical replication.
//
// A publication FOR ALL TABLES, or of the extension's schema, contains them too. On another server their rows would be
// wrong: its channels and subscriptions have other ids. Therefore:
//   - Logical decoding skips all changes to the tables of notifications, whatever plugin reads it. Otherwise an update
//     of a table that has no replica identity would stop a subscription for good. A replica identity would be
//     expensive: a unique index for each captured row or, with REPLICA IDENTITY FULL, the old row in WAL for each claim
//     and ack, and a sequential scan for each of them at the subscriber.
//   - A trigger (skip_replicated) skips all rows that arrive from elsewhere, above all the initial copy of a
//     subscription. The tables of channels and subscriptions have primary keys and seldom change; for them, the trigger
//     is enough. The table of rights names roles, which the other server may lack: a row would fail there before any
//     trigger.
//
// Decoding skips a table whose pg_class.relrewrite is set. PostgreSQL sets it for the tables that it makes to rewrite
// others, and reads it in decoding alone (reorderbuffer.c). VACUUM FULL and the like keep it. But pg_upgrade does not
// carry it, nor does the new TOAST table that an ALTER TABLE makes when it rewrites the table. Therefore the worker
// checks it when it starts.
//
// REPACK (CONCURRENTLY) of PostgreSQL 19 copies a table and then decodes what happened to it meanwhile. For a marked
// table it would find nothing, and so lose these changes. It refuses tables without a replica identity; therefore the
// marked tables have none, even if they have a primary key, or if a user gives them one.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Sets the mark if it is missing. If `wait` is false, skips a table that is locked just now.
void hide_from_decoding(bool wait);

}  // namespace pgpubsub
