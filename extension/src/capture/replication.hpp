// How the private tables keep out of logical replication.
//
// A publication FOR ALL TABLES, or of the extension's schema, has them too. What another server would make of their
// rows is wrong there: its channels and subscriptions have other ids. So
//   - what is done to the tables of notifications is skipped by logical decoding, whatever plugin reads it. An update
//     of a table that has no replica identity would else stop a subscription for good; and an identity would cost: a
//     unique index for each captured row, or, with REPLICA IDENTITY FULL, the old row in WAL for each claim and ack,
//     and a sequential scan for each of them at the subscriber;
//   - what comes to them from elsewhere, the initial copy of a subscription above all, is skipped by a trigger
//     (skip_replicated). The tables of channels and subscriptions have primary keys, and seldom change; there the
//     trigger is enough. That of rights names roles, which the other server may lack: a row would fail there before any
//     trigger.
//
// Decoding skips a table whose pg_class.relrewrite is set: PostgreSQL sets it for the tables that it makes to rewrite
// others, and reads it in decoding alone (reorderbuffer.c). VACUUM FULL and the like keep it; but pg_upgrade does not
// carry it, nor does the new TOAST table that an ALTER TABLE makes which rewrites the table. So the worker looks at it
// when it starts.
//
// REPACK (CONCURRENTLY) of PostgreSQL 19 copies a table and then decodes what happened to it meanwhile. Of a marked
// table it would find nothing, and so lose that. It refuses tables without a replica identity: so these have none, also
// where they have a primary key, or somebody gives them one.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Sets the mark where it is missing. With `wait` unset, not where the table is locked just now.
void hide_from_decoding(bool wait);

}  // namespace pgpubsub
