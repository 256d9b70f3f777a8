// The locks that DROP EXTENSION pgpubsub takes before it begins, if the library is loaded.
//
// PostgreSQL locks what it drops in the order of its dependencies: our tables first, and then, for their triggers, the
// attached tables. A session that writes to an attached table takes the locks the other way round, and one of the two
// would end in a deadlock. Therefore all locks are taken before, in the order of the sessions: the tables and views of
// others, then our views, then our tables. A session that waits for one of them finds the extension gone, and goes on:
// a writer without the capture, the others with an error that says so.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

bool drops_extension(const Node* command);

// Called before the command, in its transaction. Does nothing if the command is for another extension, or if the user
// may not drop ours.
void lock_before_drop(const DropStmt* command);

}  // namespace pgpubsub
