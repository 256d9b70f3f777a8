// The row of an object in a catalog of PostgreSQL, such as that of a function in pg_proc.
//
// Two transactions that change the same one at a time, such as by two GRANTs on one function, fail one of them, with an
// internal error ("tuple concurrently updated", XX000). Who has locked the row before does not fail.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

enum class if_busy { give_up, wait };

// Locks the row of the object until the (sub-)transaction ends; false when another transaction is changing it, and we
// are not to wait. Afterwards the session's caches have what the last one stored. An object that is gone has no row,
// and that is no failure. The wait ends at lock_timeout, and can be cancelled.
bool lock_catalog_row(Oid catalog, Oid object, if_busy then);

}  // namespace pgpubsub
