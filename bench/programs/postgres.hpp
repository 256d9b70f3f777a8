// A connection as the benchmark's programs need one: opened from PGHOST and so on, and the program ends with the
// server's message when something fails.
#pragma once

#include <libpq-fe.h>
#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace bench {

[[noreturn]] inline void die(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

struct pq_deleter {
    void operator()(PGconn* c) const { PQfinish(c); }
    void operator()(PGresult* r) const { PQclear(r); }
    void operator()(PGnotify* n) const { PQfreemem(n); }
};
using result = std::unique_ptr<PGresult, pq_deleter>;
using notice = std::unique_ptr<PGnotify, pq_deleter>;

class connection {
public:
    connection() : connection_(PQconnectdb("")) {
        if (PQstatus(connection_.get()) != CONNECTION_OK)
            die(PQerrorMessage(connection_.get()));
    }

    // May hold several statements; the result is the last one's.
    result run(const std::string& sql) { return checked(PQexec(connection_.get(), sql.c_str())); }

    void prepare(const char* name, const std::string& sql) {
        checked(PQprepare(connection_.get(), name, sql.c_str(), 0, nullptr));
    }
    result run_prepared(const char* name, std::initializer_list<const char*> values = {}) {
        const std::vector<const char*> v(values);
        return checked(
            PQexecPrepared(connection_.get(), name, static_cast<int>(v.size()), v.data(), nullptr, nullptr, 0));
    }

    // The next notification that has come in, or null.
    notice next_notice() {
        if (!PQconsumeInput(connection_.get()))
            die(PQerrorMessage(connection_.get()));
        return notice(PQnotifies(connection_.get()));
    }
    // Waits until the server has sent something.
    void wait(int milliseconds) {
        pollfd p{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
        poll(&p, 1, milliseconds);
    }

private:
    result checked(PGresult* r) {
        result owned(r);
        const ExecStatusType status = PQresultStatus(r);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            die(PQerrorMessage(connection_.get()));
        return owned;
    }

    std::unique_ptr<PGconn, pq_deleter> connection_;
};

}  // namespace bench
