// The databases of the cluster, as far as the launcher asks: which of them take connections, and which it has not seen
// yet.
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

// Asks for a worker for each database that is new, or takes connections and did not before. Does nothing while nobody
// has told of a change.
void look_at_databases_if_changed();

}  // namespace pgpubsub
