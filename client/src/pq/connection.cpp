// Guarantees that every failure leaves here as an error with an SQLSTATE that says whether the connection is gone. All
// waiting for the server happens in one function, next_result(): there a stop is obeyed, and a silent server is probed.
// A statement may take any time while its server is there.

#include "pq/connection.hpp"

#include <fmt/format.h>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "base/blocking.hpp"
#include "base/inbox.hpp"
#include "base/logger.hpp"
#include "base/one_line.hpp"
#include "base/poll.hpp"
#include "base/sqlstate.hpp"
#include "pq/connecting.hpp"
#include "pq/probe.hpp"

namespace pgpubsub::inline v0 {

namespace {

constexpr milliseconds silence_after_stop = std::chrono::seconds(1);
constexpr milliseconds look_limit_after_stop = std::chrono::seconds(5);
constexpr milliseconds after_last_stop{700};  // time for the server to answer what was sent
// Encrypted data that has arrived may wait where poll() does not see it: a record of up to 16 kB is decrypted as a
// whole, and libpq takes as much of it as it has room for, which is 8 kB or more.
constexpr int reads_of_a_record = 3;
constexpr milliseconds cancel_limit = std::chrono::seconds(2);

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

}  // namespace

connection::connection(const conninfo& target, logger& log, inbox* in)
    : settings_(target.settings), handle_(connect(target, in)) {
    PQsetNoticeReceiver(handle_.get(), receive_notice, &log);
    PQsetnonblocking(handle_.get(), 1);  // sending waits only in next_result()
}

// A farewell to a peer that accepts nothing any more would block.
connection::~connection() {
    if (!alive() && PQsocket(handle_.get()) >= 0)
        ::shutdown(PQsocket(handle_.get()), SHUT_RDWR);
}

void connection::heed(inbox& in, int last_stop, const std::atomic<bool>& server_is_dead) {
    in_ = &in;
    last_stop_ = last_stop;
    server_is_dead_ = &server_is_dead;
}

bool connection::alive() const noexcept { return !lost_ && PQstatus(handle_.get()) == CONNECTION_OK; }

bool connection::is_read_only() const noexcept {
    for (const char* setting : {"in_hot_standby", "default_transaction_read_only"})  // reported since PostgreSQL 14
        if (const char* value = PQparameterStatus(handle_.get(), setting);
            value != nullptr && std::strcmp(value, "on") == 0)
            return true;
    return false;
}

error connection::lost(const std::string& what) {
    lost_ = true;
    return error("the connection to the server was lost: " + what,
                 {.sqlstate = std::string(sqlstate::connection_lost), .connection_lost = true});
}

error connection::error_from(const PGresult* result) {
    const std::string state = field(result, PG_DIAG_SQLSTATE);
    const std::string severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (state.empty()) {  // nothing from the server: libpq itself failed
        const std::string message = one_line(PQerrorMessage(handle_.get()));
        if (PQstatus(handle_.get()) == CONNECTION_BAD)
            return lost(message);
        return error(message);
    }
    if (severity == "FATAL" || severity == "PANIC" || sqlstate::ends_connection(state))
        lost_ = true;
    std::string message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (const std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty())
        message += ": " + detail;
    std::string hint = field(result, PG_DIAG_MESSAGE_HINT);
    if (hint.empty() && state == sqlstate::read_only)
        hint =
            "This server or role is read-only: connect to the primary, for instance with "
            "target_session_attrs=read-write.";
    if (hint.empty() && state == "42601" && message.find("multiple commands") != std::string::npos)
        hint = "Run one statement at a time.";
    return error(message, {.sqlstate = state,
                           .hint = std::move(hint),
                           .connection_lost = lost_ || PQstatus(handle_.get()) == CONNECTION_BAD});
}

pg_result connection::checked(pg_result result) {
    if (!result)
        throw lost(one_line(PQerrorMessage(handle_.get())));
    switch (PQresultStatus(result.get())) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
        case PGRES_EMPTY_QUERY: return result;
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
            lost_ = true;  // this class has no COPY protocol, so the connection is useless now
            throw error("COPY from or to the client is not supported",
                        {.sqlstate = std::string(sqlstate::feature_missing), .connection_lost = true});
        default: throw error_from(result.get());
    }
}

// How long to wait for an answer, and what else to obey meanwhile.
struct wait_rules {
    inbox* in = nullptr;
    std::function<void(wait_rules&)> posted = {};        // what to do after a post to `in`: go on, or throw
    std::optional<milliseconds> silence = {};            // after it, the server is probed on another connection
    milliseconds look_limit = std::chrono::seconds(10);  // for the server to say anything there
    bool in_haste = false;                               // the program is about to end
    clock::time_point until = clock::time_point::max();
    std::string why = {};  // the error if that time is over

    void limit_to(milliseconds limit, std::string what) {
        until = clock::now() + limit;
        why = std::move(what);
    }
};

namespace {

struct raw_parameters {
    explicit raw_parameters(const params& parameters) {
        for (const param& p : parameters)
            values.push_back(p.text() ? p.text()->c_str() : nullptr);
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

bool is_encrypted(PGconn* handle) { return PQsslInUse(handle) != 0 || PQgssEncInUse(handle) != 0; }

bool is_copy(const PGresult* result) {
    const auto status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

// Keeps the last of several results. Exception: the server's reason for ending the connection is kept instead of
// libpq's result, which only says that the connection has ended.
void keep(pg_result& kept, pg_result next) {
    if (!kept || PQresultErrorField(kept.get(), PG_DIAG_SQLSTATE) == nullptr)
        kept = std::move(next);
}

}  // namespace

// Does what PQexecParams does, but uses keep().
pg_result connection::exec_by(const std::string& sql, const params& parameters, wait_rules& rules) {
    send(sql, parameters);
    pg_result kept;
    while (pg_result next = next_result(rules)) {
        const bool copy = is_copy(next.get());
        keep(kept, std::move(next));
        if (copy)
            break;
    }
    return kept;
}

pg_result connection::exec(const std::string& sql, const params& parameters) {
    auto rules = usual_rules();
    return checked(exec_by(sql, parameters, rules));
}

void connection::commit() {
    pg_result done;
    try {
        done = exec("COMMIT");
    } catch (const error& e) {
        // The COMMIT did not reach a session that was ended because it was idle.
        if (!e.connection_lost() || e.sqlstate() == sqlstate::idle_in_transaction)
            throw;
        throw error(std::string("the connection was lost during a commit, whose outcome is unknown: ") + e.what(),
                    {.sqlstate = std::string(sqlstate::outcome_unknown), .connection_lost = true, .in_doubt = true});
    }
    if (std::strcmp(PQcmdStatus(done.get()), "COMMIT") != 0)
        throw error("the transaction was aborted and so could not be committed",
                    {.sqlstate = std::string(sqlstate::aborted_transaction)});
}

void connection::rollback() noexcept {
    if (!alive() || transaction_status() == PQTRANS_IDLE)
        return;
    try {
        exec("ROLLBACK");
    } catch (...) {
        lost_ = true;
    }
}

void connection::send(const std::string& sql, const params& parameters) {
    refuse_zero_bytes(parameters);
    const raw_parameters raw(parameters);
    if (PQsendQueryParams(handle_.get(), sql.c_str(), raw.count(), nullptr, raw.values.data(), nullptr, nullptr, 0) ==
        0)
        throw lost(one_line(PQerrorMessage(handle_.get())));
}

std::vector<pg_result> connection::pipeline(const std::vector<statement>& statements) {
    for (const auto& s : statements)
        refuse_zero_bytes(s.parameters);  // before anything is sent
    if (PQenterPipelineMode(handle_.get()) == 0)
        throw lost(one_line(PQerrorMessage(handle_.get())));
    for (const auto& s : statements)
        send(s.sql, s.parameters);
    if (PQpipelineSync(handle_.get()) == 0)
        throw lost(one_line(PQerrorMessage(handle_.get())));

    auto rules = usual_rules();
    std::vector<pg_result> results;
    std::optional<error> first;
    // Each statement yields its results and then a null; the sync ends the pipeline. On a broken connection, libpq may
    // go on yielding nulls instead.
    for (int nulls = 0; nulls < 2;) {
        pg_result result = next_result(rules);
        if (!result) {
            ++nulls;
            continue;
        }
        nulls = 0;
        const auto status = PQresultStatus(result.get());
        if (status == PGRES_PIPELINE_SYNC)
            break;
        if (status == PGRES_PIPELINE_ABORTED || first)
            continue;
        try {
            results.push_back(checked(std::move(result)));
        } catch (const error& e) {
            first = e;
        }
    }
    if (PQexitPipelineMode(handle_.get()) == 0 || PQstatus(handle_.get()) == CONNECTION_BAD) {
        if (!first || !first->connection_lost())
            first = lost(one_line(PQerrorMessage(handle_.get())));
    }
    if (first)
        throw *first;
    return results;
}

wait_rules connection::usual_rules() {
    wait_rules rules{.in = in_, .silence = silence_};
    if (in_ == nullptr)
        return rules;
    if (in_->has_post())
        in_->read();
    rules.posted = [this, last_stop = last_stop_](wait_rules& r) {
        if (*server_is_dead_)
            throw lost("the server does not answer on another connection to it, either");
        if (in_->stops() >= last_stop) {
            r.limit_to(after_last_stop, "the second request to stop came, and the server has not answered since");
            r.in = nullptr;
        } else if (in_->stops() > 0 && !std::exchange(r.in_haste, true)) {
            r.silence = silence_after_stop;
            r.look_limit = look_limit_after_stop;
        }
    };
    rules.posted(rules);
    return rules;
}

// The one place that waits for the server. Returns the same as PQgetResult().
pg_result connection::next_result(wait_rules& rules) {
    auto quiet_since = clock::now();
    std::optional<probe> looking;
    int reads_in_vain = 0;
    for (;;) {
        // On a failed connection, PQgetResult() does not wait, and returns the server's last message first.
        if (PQsocket(handle_.get()) < 0)
            return pg_result(PQgetResult(handle_.get()));
        const int unsent = PQflush(handle_.get());
        if (unsent < 0 && PQsocket(handle_.get()) < 0)
            continue;
        if (unsent < 0)
            throw lost(one_line(PQerrorMessage(handle_.get())));
        if (PQisBusy(handle_.get()) == 0)
            return pg_result(PQgetResult(handle_.get()));

        const auto look_at = rules.silence ? quiet_since + *rules.silence : clock::time_point::max();
        std::array<pollfd, 3> waits{{
            {socket(), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0},
            {rules.in != nullptr ? rules.in->fd() : -1, POLLIN, 0},
            {looking ? looking->fd() : -1, looking ? looking->events() : short{0}, 0},
        }};
        const bool encrypted = is_encrypted(handle_.get());
        const auto unseen_until =
            encrypted ? clock::now() + (reads_in_vain < reads_of_a_record ? milliseconds(0) : std::chrono::seconds(1))
                      : clock::time_point::max();
        if (!poll_until(waits, std::min({rules.until, looking ? looking->deadline() : look_at, unseen_until}))) {
            const auto now = clock::now();
            if (now >= rules.until) {
                silent_ = true;
                cancel(milliseconds(200));
                throw lost(rules.why);
            }
            if (looking && now >= looking->deadline())
                throw lost("there is no answer, and a new connection to the server gets none, either");
            if (!looking && now >= look_at)
                looking.emplace(settings_, handle_.get(), rules.look_limit);
        }
        if (waits[1].revents != 0) {
            rules.in->read();
            rules.posted(rules);
            if (looking)
                looking->wait_no_longer_than(rules.look_limit);
        }
        if (looking && looking->answered(waits[2].revents != 0)) {
            looking.reset();
            quiet_since = clock::now();
            rules.silence = silence_;
        }
        if (encrypted && waits[0].revents == 0) {
            ++reads_in_vain;
            PQconsumeInput(handle_.get());
        }
        if (waits[0].revents != 0) {
            quiet_since = clock::now();
            reads_in_vain = 0;
            // If it fails, the next round gets the reason from PQgetResult().
            if ((waits[0].revents & ~POLLOUT) != 0 && PQconsumeInput(handle_.get()) == 0 &&
                PQsocket(handle_.get()) >= 0)
                throw lost(one_line(PQerrorMessage(handle_.get())));
        }
    }
}

pg_result connection::exec_within(const std::string& sql, const params& parameters, milliseconds limit, inbox& in) {
    wait_rules rules{.in = &in};
    rules.limit_to(limit, fmt::format("no answer within {} ms", limit.count()));
    rules.posted = [this, &in, stops = in.stops()](wait_rules&) {
        if (in.stops() == stops)
            return;
        lost_ = true;  // nobody waits for its answer
        throw interrupted();
    };
    return checked(exec_by(sql, parameters, rules));
}

pg_result connection::exec_unless_posted(const std::string& sql, const params& parameters, milliseconds limit,
                                         inbox& in) {
    std::array<pollfd, 1> posted{{{in.fd(), POLLIN, 0}}};
    if (poll_until(posted, clock::now()))
        return nullptr;
    bool cancelled = false;
    wait_rules rules{.in = &in};
    rules.limit_to(limit, fmt::format("no answer within {} ms", limit.count()));
    rules.posted = [this, &cancelled](wait_rules& r) {
        if (!cancel(cancel_limit))
            throw lost("a statement could not be cancelled");
        cancelled = true;
        r.limit_to(cancel_limit, "the server was asked to cancel a statement, and has not answered");
        r.in = nullptr;
    };
    pg_result last = exec_by(sql, parameters, rules);
    if (cancelled && last && field(last.get(), PG_DIAG_SQLSTATE) == sqlstate::cancelled)
        return nullptr;
    return checked(std::move(last));
}

// Without a cancel request, the server would go on until the statement is done, whether the client is there or not.
bool connection::cancel(milliseconds limit) noexcept try {
    const std::shared_ptr<PGcancel> request(PQgetCancel(handle_.get()), [](PGcancel* r) { PQfreeCancel(r); });
    if (!request)
        return false;
    const auto done = call_within(clock::now() + limit, nullptr, [request] {
        char problem[256] = "";
        return PQcancel(request.get(), problem, sizeof problem) != 0;
    });
    return done.value_or(false);
} catch (...) {
    return false;
}

void connection::consume_input() {
    for (int i = is_encrypted(handle_.get()) ? reads_of_a_record : 0; i > 0; --i)
        PQconsumeInput(handle_.get());
    if (PQconsumeInput(handle_.get()) == 0)
        throw lost(one_line(PQerrorMessage(handle_.get())));
    if (PQstatus(handle_.get()) == CONNECTION_BAD)
        throw lost(one_line(PQerrorMessage(handle_.get())));
}

pg_notify connection::next_notify() noexcept { return pg_notify(PQnotifies(handle_.get())); }

}  // namespace pgpubsub::inline v0
