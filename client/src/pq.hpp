// Owning handles for what libpq allocates: one deleter for all of them.
#pragma once

#include <libpq-fe.h>

#include <memory>

namespace pgpubsub::inline v0 {

struct pq_deleter {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
    void operator()(PGresult* result) const noexcept { PQclear(result); }
    void operator()(PGnotify* notify) const noexcept { PQfreemem(notify); }
    void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
    void operator()(char* text) const noexcept { PQfreemem(text); }
};

using pg_connection = std::unique_ptr<PGconn, pq_deleter>;
using pg_result = std::unique_ptr<PGresult, pq_deleter>;
using pg_notify = std::unique_ptr<PGnotify, pq_deleter>;
using pg_conninfo = std::unique_ptr<PQconninfoOption, pq_deleter>;

}  // namespace pgpubsub::inline v0
