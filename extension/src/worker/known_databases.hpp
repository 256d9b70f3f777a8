// The databases of the cluster that the launcher knows: which of them accept connections, and which are new to it.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

struct database_state {
    enum { gone, closed, open } is;
    NameData name;
};

database_state state_of(Oid database);

// Called once, by the launcher.
void watch_databases();

// Asks for a worker for each database that is new, or that accepts connections now and did not before. Does nothing if
// no change has been reported.
void look_at_databases_if_changed();

}  // namespace pgpubsub
