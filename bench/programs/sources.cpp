// What each system does for a batch is in its take().
#include "sources.hpp"

#include "postgres.hpp"
#ifdef WITH_REDIS
#include "redis.hpp"
#endif

namespace bench {
namespace {

void handle_column(const result& rows, int column, const handler& handle) {
    const int count = PQntuples(rows.get());
    for (int i = 0; i < count; ++i)
        handle({PQgetvalue(rows.get(), i, column), static_cast<std::size_t>(PQgetlength(rows.get(), i, column))});
}

// A source in PostgreSQL. wait() listens, from the first time it is called, on the channel "bench".
class in_postgres : public source {
public:
    void wait(int milliseconds) override {
        if (!listening_) {
            listening_ = true;
            connection_.run("LISTEN bench");
            return;  // what came before is there to be taken
        }
        if (!connection_.next_notice())
            connection_.wait(milliseconds);
        while (connection_.next_notice()) {}
    }

protected:
    connection connection_;

private:
    bool listening_ = false;
};

// One statement, which is its own transaction: whatever it returns is taken.
class by_statement : public in_postgres {
public:
    by_statement(const std::string& sql, int payload) : payload_(payload) { connection_.prepare("take", sql); }
    std::size_t take(const handler& handle) override {
        const result rows = connection_.run_prepared("take");
        handle_column(rows, payload_, handle);
        return PQntuples(rows.get());
    }

private:
    int payload_;
};

// Two statements, each its own transaction: claim, and when all are handled ack.
class leased : public in_postgres {
public:
    explicit leased(const std::string& batch) {
        connection_.prepare("claim", "SELECT * FROM pgpubsub.claim('bench', " + batch + ")");
        connection_.prepare("ack", "SELECT pgpubsub.ack($1)");
    }
    std::size_t take(const handler& handle) override {
        const result rows = connection_.run_prepared("claim");
        const int count = PQntuples(rows.get());
        if (count == 0)
            return 0;
        handle_column(rows, 2, handle);
        const int receipt = PQfnumber(rows.get(), "receipt");
        receipts_ = "{";
        for (int i = 0; i < count; ++i)
            receipts_.append(i == 0 ? "" : ",").append(PQgetvalue(rows.get(), i, receipt));
        receipts_ += '}';
        connection_.run_prepared("ack", {receipts_.c_str()});
        return count;
    }

private:
    std::string receipts_;
};

// One transaction in three round trips: next_batch, get_batch_events, finish_batch. How many events there are in a
// batch is up to the ticks, and each consumer gets all events.
class pgq : public in_postgres {
public:
    explicit pgq(int index) : next_("BEGIN; SELECT pgq.next_batch('bench', 'c" + std::to_string(index) + "')") {
        connection_.prepare("events", "SELECT ev_data, * FROM pgq.get_batch_events($1)");
    }
    std::size_t take(const handler& handle) override {
        for (;;) {
            const result batch = connection_.run(next_);
            if (PQgetisnull(batch.get(), 0, 0)) {
                connection_.run("COMMIT");
                return 0;
            }
            const std::string id = PQgetvalue(batch.get(), 0, 0);
            const result rows = connection_.run_prepared("events", {id.c_str()});
            handle_column(rows, 0, handle);
            connection_.run("SELECT pgq.finish_batch(" + id + "); COMMIT");
            if (PQntuples(rows.get()) > 0)  // a batch between two ticks may be empty
                return PQntuples(rows.get());
        }
    }

private:
    std::string next_;
};

// Nothing is stored and nothing claimed: what has come in is the batch.
class plain_notify : public in_postgres {
public:
    plain_notify() { in_postgres::connection_.run("LISTEN bench"); }
    std::size_t take(const handler& handle) override {
        std::size_t count = 0;
        while (const notice n = connection_.next_notice()) {
            handle(n->extra);
            ++count;
        }
        return count;
    }
    void wait(int milliseconds) override { connection_.wait(milliseconds); }
};

}  // namespace

std::unique_ptr<source> make_source(const std::string& system, int batch, int index) {
    const std::string n = std::to_string(batch);
    if (system == "pgpubsub")
        return std::make_unique<by_statement>("SELECT * FROM pgpubsub.take('bench', " + n + ")", 2);
    if (system == "pgpubsub-lease")
        return std::make_unique<leased>(n);
    if (system == "raw")
        return std::make_unique<by_statement>(
            "DELETE FROM raw_queue WHERE id IN (SELECT id FROM raw_queue ORDER BY id LIMIT " + n +
                " FOR UPDATE SKIP LOCKED) RETURNING *",
            1);
    if (system == "pgq")
        return std::make_unique<pgq>(index);
    if (system == "notify")
        return std::make_unique<plain_notify>();
#ifdef WITH_REDIS
    if (system == "redis")
        return std::make_unique<redis_stream>(batch, index);
#endif
    die("no such system: " + system);
}

}  // namespace bench
