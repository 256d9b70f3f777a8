#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Called after REASSIGN OWNED. Does nothing if the extension is not in this database.
void after_reassign_owned(const ReassignOwnedStmt* command);

// Called after GRANT and REVOKE; otherwise the same.
void after_grant(const GrantStmt* command);

}  // namespace pgpubsub
