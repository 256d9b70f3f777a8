// Checks whether the server of a connection is still there.
#pragma once

#include <poll.h>

#include <algorithm>

#include "base/clock.hpp"
#include "pq/conninfo.hpp"
#include "pq/pq.hpp"

namespace pgpubsub::inline v0 {

// Begins another connection to the very address of the first one, without waiting for anything. Ends it at the server's
// first message, which comes long before the server asks for a password. A refusal counts as well: a server that
// refuses is there.
class probe {
public:
    probe(const settings_list& settings, const PGconn* asked_about, milliseconds limit);

    // For poll().
    int fd() const noexcept { return PQsocket(handle_.get()); }
    short events() const noexcept { return static_cast<short>(wanted_ == PGRES_POLLING_READING ? POLLIN : POLLOUT); }

    // Returns whether there was an answer. Call it at once, and whenever poll() reports the descriptor.
    bool answered(bool is_ready);

    clock::time_point deadline() const noexcept { return deadline_; }
    void wait_no_longer_than(milliseconds limit) { deadline_ = std::min(deadline_, clock::now() + limit); }

private:
    pg_connection handle_;
    PostgresPollingStatusType wanted_ = PGRES_POLLING_WRITING;
    clock::time_point deadline_;
};

}  // namespace pgpubsub::inline v0
