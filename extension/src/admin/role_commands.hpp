#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// To be called when REASSIGN OWNED has been done. Nothing happens where the extension is not in this database.
void after_reassign_owned(const ReassignOwnedStmt* command);

// The same for GRANT and REVOKE.
void after_grant(const GrantStmt* command);

}  // namespace pgpubsub
