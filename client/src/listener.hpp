// The listening side of a consumer: one connection that LISTENs, and the thread that owns it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <pgpubsub/consumer.hpp>

#include "broker.hpp"
#include "connection.hpp"
#include "inbox.hpp"
#include "reconnect.hpp"
#include "shared_state.hpp"

namespace pgpubsub::inline v0 {

class listener {
public:
    listener(const consumer_options& options, const conninfo& target, std::vector<std::string> channels, logger& log,
             shared_state& shared, inbox& worker);
    ~listener();  // ends the thread

    // Connects and LISTENs, in the caller's thread; `in` is the caller's inbox. Before start().
    void open(inbox* in);

    // Hands the connection over to the new thread.
    void start();

private:
    void run() noexcept;
    void serve();
    void reopen();
    bool pass_on_hints();
    void extend_leases();
    void ping();

    const consumer_options& options_;
    const conninfo& target_;
    const std::vector<std::string> channels_;
    std::unordered_map<std::string, std::size_t> index_;
    logger& log_;
    shared_state& shared_;
    inbox& worker_;
    inbox inbox_;
    reconnector patience_;
    std::optional<connection> server_;
    unsigned long sweeps_at_listen_ = 0;
    std::thread thread_;
};

}  // namespace pgpubsub::inline v0
