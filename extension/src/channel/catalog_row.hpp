// Locks the row of an object in a catalog of PostgreSQL, such as the row of a function in pg_proc.
//
// When two transactions change the same row at a time, such as by two GRANTs on one function, one of them fails with an
// internal error ("tuple concurrently updated", XX000). A transaction that has locked the row before does not fail.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

enum class if_busy { give_up, wait };

// Locks the row of the object until the (sub-)transaction ends. False: another transaction is changing the row, and
// `then` says give_up. Afterwards the session's caches have what the last transaction stored. An object that is gone
// has no row, and that is no failure. The wait ends at lock_timeout, and can be cancelled.
bool lock_catalog_row(Oid catalog, Oid object, if_busy then);

}  // namespace pgpubsub
