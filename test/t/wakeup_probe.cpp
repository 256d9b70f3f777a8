// Consumers for the tests of wake-ups, in plain libpq: they tell on stdout what reaches them, a line each, until they
// are ended.
//
//   wakeup_probe listen CONNINFO CHANNEL...          one session that listens, and claims nothing
//       listening PID
//       CHANNEL PAYLOAD [FROM_PID]
//   wakeup_probe herd CONNINFO CHANNEL N             N sessions that listen, obey addresses, and take, 10 at a time,
//   while there are as many wakeup_probe lazy CONNINFO CHANNEL N             the same, but the session that is
//   addressed first after a pause does nothing wakeup_probe wait CONNINFO CHANNEL N             N sessions that wait by
//   pgpubsub.wait(), take one, and wait again
//       ready
//       told PAYLOAD              what a hint said, whoever it was addressed to
//       ignored PID PAYLOAD       it was addressed to this one (lazy)
//       took COUNT PID [MS]       what a take gave; MS: since the last line "ignored"
#include <libpq-fe.h>
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

struct session {
    PGconn* connection;
    std::string pid;
    bool has_more = false;  // its last take gave all it asked for
};

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(1);
}

std::string query(PGconn* connection, const std::string& sql) {
    PGresult* const result = PQexec(connection, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        die(PQerrorMessage(connection));
    const std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    return value;
}

session connect(const char* conninfo) {
    PGconn* const connection = PQconnectdb(conninfo);
    if (PQstatus(connection) != CONNECTION_OK)
        die(PQerrorMessage(connection));
    return {connection, query(connection, "SELECT pg_backend_pid()")};
}

// Waits until one of them has something to read, and reads it.
void read_some(const std::vector<session>& sessions) {
    std::vector<pollfd> fds;
    for (const session& s : sessions)
        fds.push_back({PQsocket(s.connection), POLLIN, 0});
    bool has_more = false;
    for (const session& s : sessions)
        has_more |= s.has_more;
    poll(fds.data(), fds.size(), has_more ? 0 : -1);
    for (std::size_t i = 0; i < fds.size(); ++i)
        if (fds[i].revents != 0 && !PQconsumeInput(sessions[i].connection))
            die(PQerrorMessage(sessions[i].connection));
}

int listen(const char* conninfo, char** channels) {
    const std::vector<session> sessions{connect(conninfo)};
    PGconn* const connection = sessions[0].connection;
    std::string commands;
    for (; *channels != nullptr; ++channels)
        commands += "LISTEN \"" + std::string(*channels) + "\";";
    query(connection, commands);
    std::printf("listening %s\n", sessions[0].pid.c_str());
    for (;;) {
        read_some(sessions);
        while (PGnotify* const n = PQnotifies(connection)) {
            std::printf("%s %s [%d]\n", n->relname, n->extra, n->be_pid);
            PQfreemem(n);
        }
    }
}

bool is_addressed(const char* payload, const std::string& pid) {
    return *payload == '\0' || ("," + std::string(payload) + ",").find("," + pid + ",") != std::string::npos;
}

int herd(const char* conninfo, const std::string& channel, int count, bool is_lazy) {
    std::vector<session> sessions;
    for (int i = 0; i < count; ++i) {
        sessions.push_back(connect(conninfo));
        query(sessions.back().connection, "LISTEN " + channel);
    }
    std::puts("ready");
    clock_type::time_point ignored_at{}, claimed_at{};
    for (;;) {
        read_some(sessions);
        for (session& s : sessions) {
            bool has_hint = s.has_more;
            std::string payload;
            while (PGnotify* const n = PQnotifies(s.connection)) {
                if (&s == &sessions.front())
                    std::printf("told %s\n", n->extra);
                if (is_addressed(n->extra, s.pid)) {
                    has_hint = true;
                    payload = n->extra;
                }
                PQfreemem(n);
            }
            if (!has_hint)
                continue;
            if (is_lazy && ignored_at <= claimed_at) {
                ignored_at = clock_type::now();
                std::printf("ignored %s %s\n", s.pid.c_str(), payload.c_str());
                continue;
            }
            const std::string taken = query(s.connection, "SELECT count(*) FROM pgpubsub.take('" + channel + "', 10)");
            s.has_more = taken == "10";
            const clock_type::time_point now = clock_type::now();
            if (taken != "0")
                claimed_at = now;
            std::printf("took %s %s %.0f\n", taken.c_str(), s.pid.c_str(),
                        std::chrono::duration<double, std::milli>(now - ignored_at).count());
        }
    }
}

int wait(const char* conninfo, const std::string& channel, int count) {
    const std::string call = "CALL pgpubsub.wait('{" + channel + "}', '10 min')";
    std::vector<session> sessions;
    for (int i = 0; i < count; ++i) {
        sessions.push_back(connect(conninfo));
        PQsendQuery(sessions.back().connection, call.c_str());
    }
    std::puts("ready");
    for (;;) {
        read_some(sessions);
        for (const session& s : sessions) {
            bool has_returned = false;
            while (!PQisBusy(s.connection)) {
                PGresult* const result = PQgetResult(s.connection);
                if (result == nullptr)
                    break;
                if (PQresultStatus(result) != PGRES_TUPLES_OK)
                    die(PQerrorMessage(s.connection));
                has_returned = true;
                PQclear(result);
            }
            if (!has_returned)
                continue;
            const std::string taken = query(s.connection, "SELECT count(*) FROM pgpubsub.take('" + channel + "', 1)");
            std::printf("took %s %s\n", taken.c_str(), s.pid.c_str());
            PQsendQuery(s.connection, call.c_str());
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    if (argc < 4)
        die("see the top of wakeup_probe.cpp");
    const std::string mode = argv[1];
    if (mode == "listen")
        return listen(argv[2], argv + 3);
    if (argc != 5)
        die("see the top of wakeup_probe.cpp");
    if (mode == "wait")
        return wait(argv[2], argv[3], std::atoi(argv[4]));
    return herd(argv[2], argv[3], std::atoi(argv[4]), mode == "lazy");
}
