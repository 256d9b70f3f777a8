// Guarantees that every failure leaves here as an error with an SQLSTATE that says whether the connection
// is gone, and that nothing waits for a peer without a limit or an interruption where one was asked for.
//
// Connecting is done step by step (PQconnectPoll), since PQconnectdb can't be interrupted: the first wait
// is for writing, and the socket is asked for anew before each wait because libpq may replace it.

#include "connection.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <memory>
#include <new>

#include "inbox.hpp"
#include "logger.hpp"
#include "one_line.hpp"
#include "poll.hpp"
#include "sqlstate.hpp"

namespace pgpubsub::inline v0 {

namespace {

std::string one_line(const char* text) {
    std::string line = printable(text != nullptr ? text : "");
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

std::string field(const PGresult* result, int code) { return one_line(PQresultErrorField(result, code)); }

void receive_notice(void* log, const PGresult* notice) {
    const std::string severity = field(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const auto level = severity == "WARNING" ? log_level::warning : log_level::debug;
    static_cast<logger*>(log)->write(level, "server: " + field(notice, PG_DIAG_MESSAGE_PRIMARY));
}

// The settings as libpq takes them: two arrays that end in a null pointer. They point into the conninfo.
struct conninfo_arrays {
    explicit conninfo_arrays(const conninfo& target) {
        for (const auto& [keyword, value] : target.settings) {
            keywords.push_back(keyword.c_str());
            values.push_back(value.c_str());
        }
        keywords.push_back(nullptr);
        values.push_back(nullptr);
    }
    std::vector<const char*> keywords, values;
};

// What to do about a connection that could not be made, as far as libpq lets us know the reason.
error connect_failure(PGconn* handle, const conninfo& target, bool timed_out) {
    std::string message = timed_out ? "timed out" : one_line(PQerrorMessage(handle));
    const auto make = [&](std::string_view state, std::string hint) {
        return error("could not connect: " + message, {.sqlstate = std::string(state), .hint = std::move(hint)});
    };
    if (handle != nullptr && PQconnectionNeedsPassword(handle) != 0)
        return make(sqlstate::server_rejected, "Give the password with PGPASSWORD or in ~/.pgpass.");

    const conninfo_arrays arrays(target);
    switch (timed_out ? PQPING_NO_RESPONSE : PQpingParams(arrays.keywords.data(), arrays.values.data(), 0)) {
        case PQPING_OK:  // so it is there, and refused just us
            if (message.find("too many") != std::string::npos || message.find("connection slots") != std::string::npos)
                return make("53300", "Raise max_connections, or close some connections.");
            return make(sqlstate::server_rejected,
                        "Check the database, the user and the password of the DSN, and the server's pg_hba.conf.");
        case PQPING_REJECT:
            return make("57P03", "The server is starting up, shutting down or recovering: wait until it is ready.");
        default:
            return make(sqlstate::unable_to_connect,
                        "Check that the server is running and that host and port are right: --dsn on the command "
                        "line, else PGHOST and PGPORT.");
    }
}

}  // namespace

connection::connection(const conninfo& target, logger& log, inbox* in) {
    const conninfo_arrays arrays(target);

    const int stops = in != nullptr ? in->stops() : 0;
    const auto deadline = clock::now() + target.timeout;
    handle_.reset(PQconnectStartParams(arrays.keywords.data(), arrays.values.data(), 0));
    if (!handle_) throw std::bad_alloc();
    auto wanted = PGRES_POLLING_WRITING;
    while (PQstatus(handle_.get()) != CONNECTION_BAD && wanted != PGRES_POLLING_OK) {
        if (wanted == PGRES_POLLING_FAILED) break;
        std::array<pollfd, 2> waits{{
            {PQsocket(handle_.get()), static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0},
            {in != nullptr ? in->fd() : -1, POLLIN, 0},
        }};
        if (!poll_until(waits, deadline)) throw connect_failure(handle_.get(), target, true);
        if (waits[1].revents != 0) {
            in->read();
            if (in->stops() > stops) throw interrupted();
        }
        if (waits[0].revents != 0) wanted = PQconnectPoll(handle_.get());
    }
    if (PQstatus(handle_.get()) != CONNECTION_OK) throw connect_failure(handle_.get(), target, false);
    PQsetNoticeReceiver(handle_.get(), receive_notice, &log);
}

bool connection::alive() const noexcept { return !lost_ && PQstatus(handle_.get()) == CONNECTION_OK; }

error connection::lost(const std::string& what) {
    lost_ = true;
    return error("the connection to the server was lost: " + what,
                 {.sqlstate = std::string(sqlstate::connection_lost), .connection_lost = true});
}

error connection::error_from(const PGresult* result) {
    const std::string state = field(result, PG_DIAG_SQLSTATE);
    const std::string severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (state.empty()) {  // no word from the server: libpq itself failed
        const std::string message = one_line(PQerrorMessage(handle_.get()));
        if (PQstatus(handle_.get()) == CONNECTION_BAD) return lost(message);
        return error(message);
    }
    if (severity == "FATAL" || severity == "PANIC" || sqlstate::ends_connection(state)) lost_ = true;
    std::string message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (const std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) message += ": " + detail;
    std::string hint = field(result, PG_DIAG_MESSAGE_HINT);
    if (hint.empty() && state == sqlstate::read_only)
        hint = "This server or role is read-only: connect to the primary, for instance with target_session_attrs=read-write.";
    if (hint.empty() && state == "42601" && message.find("multiple commands") != std::string::npos)
        hint = "Run one statement at a time.";
    return error(message, {.sqlstate = state,
                           .hint = std::move(hint),
                           .connection_lost = lost_ || PQstatus(handle_.get()) == CONNECTION_BAD});
}

pg_result connection::checked(pg_result result) {
    if (!result) throw lost(one_line(PQerrorMessage(handle_.get())));
    switch (PQresultStatus(result.get())) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
        case PGRES_EMPTY_QUERY: return result;
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
            lost_ = true;  // nothing here speaks the COPY protocol, so the connection can't be used any more
            throw error("COPY from or to the client is not supported",
                        {.sqlstate = std::string(sqlstate::feature_missing), .connection_lost = true});
        default: throw error_from(result.get());
    }
}

namespace {

struct raw_parameters {
    explicit raw_parameters(const params& parameters) {
        for (const param& p : parameters) values.push_back(p.text() ? p.text()->c_str() : nullptr);
    }
    std::vector<const char*> values;
    int count() const { return static_cast<int>(values.size()); }
};

}  // namespace

void refuse_zero_bytes(const params& parameters) {
    for (const param& p : parameters)
        if (p.text() && p.text()->find('\0') != std::string::npos)
            throw error("a parameter contains a zero byte, which text can't hold",
                        {.sqlstate = "22021", .hint = "Send binary data encoded, for instance as hexadecimal bytea."});
}

namespace {

bool is_copy(const PGresult* result) {
    const auto status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

// Of several results the last one counts, except that the server's word on why it ends the connection comes before
// libpq's, which just says that it has ended.
void keep(pg_result& kept, pg_result next) {
    if (!kept || PQresultErrorField(kept.get(), PG_DIAG_SQLSTATE) == nullptr) kept = std::move(next);
}

}  // namespace

// What PQexecParams does, for the sake of keep().
pg_result connection::exec(const std::string& sql, const params& parameters) {
    send(sql, parameters);
    pg_result kept;
    while (pg_result next = pg_result(PQgetResult(handle_.get()))) {
        const bool copy = is_copy(next.get());
        keep(kept, std::move(next));
        if (copy) break;
    }
    return checked(std::move(kept));
}

void connection::commit() {
    pg_result done;
    try {
        done = exec("COMMIT");
    } catch (const error& e) {
        // A session that was ended because it was idle had not received the COMMIT.
        if (!e.connection_lost() || e.sqlstate() == sqlstate::idle_in_transaction) throw;
        throw error(std::string("the connection was lost during a commit, whose outcome is unknown: ") + e.what(),
                    {.sqlstate = std::string(sqlstate::outcome_unknown), .connection_lost = true, .in_doubt = true});
    }
    if (std::strcmp(PQcmdStatus(done.get()), "COMMIT") != 0)
        throw error("the transaction was aborted and so could not be committed",
                    {.sqlstate = std::string(sqlstate::aborted_transaction)});
}

void connection::rollback() noexcept {
    const auto status = transaction_status();
    if (!alive() || status == PQTRANS_IDLE) return;
    const pg_result done(PQexec(handle_.get(), "ROLLBACK"));
    if (PQresultStatus(done.get()) != PGRES_COMMAND_OK) lost_ = true;
}

void connection::send(const std::string& sql, const params& parameters) {
    refuse_zero_bytes(parameters);
    const raw_parameters raw(parameters);
    if (PQsendQueryParams(handle_.get(), sql.c_str(), raw.count(), nullptr, raw.values.data(), nullptr, nullptr, 0) == 0)
        throw lost(one_line(PQerrorMessage(handle_.get())));
}

std::vector<pg_result> connection::pipeline(const std::vector<statement>& statements) {
    for (const auto& s : statements) refuse_zero_bytes(s.parameters);  // before anything is under way
    if (PQenterPipelineMode(handle_.get()) == 0) throw lost(one_line(PQerrorMessage(handle_.get())));
    for (const auto& s : statements) send(s.sql, s.parameters);
    if (PQpipelineSync(handle_.get()) == 0) throw lost(one_line(PQerrorMessage(handle_.get())));

    std::vector<pg_result> results;
    std::optional<error> first;
    // Each statement yields its results and then a null; the sync ends the pipeline. On a broken
    // connection libpq may go on yielding nulls instead.
    for (int nulls = 0; nulls < 2;) {
        pg_result result(PQgetResult(handle_.get()));
        if (!result) {
            ++nulls;
            continue;
        }
        nulls = 0;
        const auto status = PQresultStatus(result.get());
        if (status == PGRES_PIPELINE_SYNC) break;
        if (status == PGRES_PIPELINE_ABORTED || first) continue;
        try {
            results.push_back(checked(std::move(result)));
        } catch (const error& e) {
            first = e;
        }
    }
    if (PQexitPipelineMode(handle_.get()) == 0 || PQstatus(handle_.get()) == CONNECTION_BAD) {
        if (!first || !first->connection_lost()) first = lost(one_line(PQerrorMessage(handle_.get())));
    }
    if (first) throw *first;
    return results;
}

pg_result connection::exec_watching(const std::string& sql, const params& parameters, milliseconds limit, const inbox& in,
                                    const at_post& posted) {
    auto deadline = clock::now() + limit;
    int watched = in.fd();
    send(sql, parameters);
    pg_result last;
    for (;;) {
        const int unsent = PQflush(handle_.get());
        if (unsent < 0) throw lost(one_line(PQerrorMessage(handle_.get())));
        if (unsent == 0 && PQisBusy(handle_.get()) == 0) {
            pg_result result(PQgetResult(handle_.get()));
            if (!result) return last;
            keep(last, std::move(result));
            continue;
        }
        std::array<pollfd, 2> waits{{
            {socket(), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0},
            {watched, POLLIN, 0},
        }};
        if (!poll_until(waits, deadline)) throw lost(fmt::format("no answer within {} ms", limit.count()));
        if (waits[1].revents != 0) {
            if (const auto rest = posted()) {
                limit = *rest;
                deadline = clock::now() + limit;
                watched = -1;
            }
        }
        if ((waits[0].revents & ~POLLOUT) != 0) consume_input();
    }
}

pg_result connection::exec_within(const std::string& sql, const params& parameters, milliseconds limit, inbox& in) {
    const auto stop_at_post = [&in, stops = in.stops()]() -> std::optional<milliseconds> {
        in.read();
        if (in.stops() > stops) throw interrupted();
        return std::nullopt;
    };
    return checked(exec_watching(sql, parameters, limit, in, stop_at_post));
}

pg_result connection::exec_unless_posted(const std::string& sql, const params& parameters, milliseconds limit, inbox& in) {
    std::array<pollfd, 1> posted{{{in.fd(), POLLIN, 0}}};
    if (poll_until(posted, clock::now())) return nullptr;
    bool cancelled = false;
    const auto cancel_at_post = [this, &cancelled]() -> std::optional<milliseconds> {
        cancel();
        cancelled = true;
        return std::chrono::seconds(5);
    };
    pg_result last = exec_watching(sql, parameters, limit, in, cancel_at_post);
    if (cancelled && last && field(last.get(), PG_DIAG_SQLSTATE) == sqlstate::cancelled) return nullptr;
    return checked(std::move(last));
}

// Without it the server would go on for as long as the statement takes, whether anybody is there or not.
void connection::cancel() {
    const std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> request(PQgetCancel(handle_.get()), PQfreeCancel);
    char problem[256] = "";
    if (!request || PQcancel(request.get(), problem, sizeof problem) == 0)
        throw lost(fmt::format("a statement could not be cancelled: {}", one_line(problem)));
}

void connection::consume_input() {
    if (PQconsumeInput(handle_.get()) == 0) throw lost(one_line(PQerrorMessage(handle_.get())));
    if (PQstatus(handle_.get()) == CONNECTION_BAD) throw lost(one_line(PQerrorMessage(handle_.get())));
}

pg_notify connection::next_notify() noexcept { return pg_notify(PQnotifies(handle_.get())); }

}  // namespace pgpubsub::inline v0
