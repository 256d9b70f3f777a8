// The background processes: a launcher for the server, and a worker for each database that has the extension.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Returns whether a worker can connect to the database and is not in the way there. Call it within a transaction.
bool may_have_worker(Oid database);

// Registers the launcher, if the library is being preloaded. Called once, when the library is loaded.
void define_launcher();

}  // namespace pgpubsub
