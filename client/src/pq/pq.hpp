// Owning handles for objects that libpq allocates.
#pragma once

#include <fcntl.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <memory>

namespace pgpubsub::inline v0 {

struct pq_deleter {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
    void operator()(PGnotify* notify) const noexcept { PQfreemem(notify); }
    void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
    void operator()(char* text) const noexcept { PQfreemem(text); }
};

// Ends a connection in the process that made it. A process that was forked since has a copy of the socket; libpq's
// message of farewell would end the connection of its parent. There the connection is only freed.
struct connection_closer {
    pid_t made_in = ::getpid();
    void operator()(PGconn* connection) const noexcept {
        if (made_in != ::getpid()) {
            const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
            if (nowhere < 0)
                return;
            ::dup2(nowhere, PQsocket(connection));
            ::close(nowhere);
        }
        PQfinish(connection);
    }
};

using pg_connection = std::unique_ptr<PGconn, connection_closer>;
using pg_result = std::unique_ptr<PGresult, pq_deleter>;
using pg_notify = std::unique_ptr<PGnotify, pq_deleter>;
using pg_conninfo = std::unique_ptr<PQconninfoOption, pq_deleter>;

}  // namespace pgpubsub::inline v0
