// The listening side of a consumer: one connection that LISTENs, and the thread that owns it. Without the option
// listen, it only extends leases.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <pgpubsub/consumer.hpp>

#include "base/clock.hpp"
#include "base/inbox.hpp"
#include "consumer/reconnect.hpp"
#include "consumer/shared_state.hpp"
#include "pq/connection.hpp"
#include "protocol/sql_calls.hpp"

namespace pgpubsub::inline v0 {

// The receivers of a NOTIFY on a channel: handlers by their number.
struct recipients {
    std::vector<std::size_t> queues;  // a channel has one handler for each subscription
    std::optional<std::size_t> broadcast;
};
using recipients_by_channel = std::unordered_map<std::string, recipients>;

class listener {
public:
    listener(const consumer_options& options, const conninfo& target, recipients_by_channel channels, logger& log,
             shared_state& shared, inbox& loop);
    ~listener();  // ends the thread

    // Connects and LISTENs, in the caller's thread. A stop that is posted to the caller's inbox ends the attempt. Call
    // it before start().
    void open(inbox& interrupts);

    // Hands the connection over to the new thread.
    void start();

    reconnector& patience() { return patience_; }

private:
    void run() noexcept;
    void serve();
    void reopen();
    bool pass_on_notifies();
    void extend_leases();
    milliseconds lease() const { return options_.lease.value_or(std::chrono::seconds(30)); }
    void ping();
    void warn_worker();
    int ask_pid(inbox& in);
    void distrust();

    const consumer_options& options_;
    const conninfo& target_;
    const recipients_by_channel channels_;
    logger& log_;
    shared_state& shared_;
    inbox& loop_;
    inbox inbox_;
    reconnector patience_;
    std::optional<connection> server_;
    double server_started_ = 0;
    int server_pid_ = 0;  // of the server process that listens for us; 0: not certain
    bool warned_of_pooler_ = false;
    unsigned long sweeps_at_listen_ = 0;
    clock::time_point opened_at_{};
    clock::time_point next_extension_{};  // of the leases, whatever happens to the connection meanwhile
    std::thread thread_;
};

}  // namespace pgpubsub::inline v0
