// The client's side of the extension's SQL functions: every call that it makes, and how it reads the replies.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <pgpubsub/message.hpp>
#include <pgpubsub/notification.hpp>

#include "pq/connection.hpp"

namespace pgpubsub::inline v0 {

struct claimed {
    notification what;
    std::string receipt;
};

// The server, and the process of it, to which a connection leads. Behind a pooler, libpq knows another pid.
struct server_process {
    int pid = 0;
    double server_started = 0;  // tells servers apart: seconds, with microseconds
};

// The source from which a consumer takes.
struct queue {
    std::string channel;
    std::string subscription = "default";
    std::optional<std::string> filter = {};  // jsonb containment on the payload
};

// What ends a lease that is neither acked nor extended. `setting`: the session's pgpubsub.lease_scope decides. `time`:
// its time alone, for connections whose session belongs to another program, such as a pooler.
enum class lease_end { setting, time };

// The failure of a notification.
struct handler_failure {
    std::string text;
    std::optional<milliseconds> delay = {};  // no value: the back-off of the subscription
    bool reject = false;                     // it becomes a dead letter at once
};

// Each returns a statement for connection::pipeline() or exec().
statement take_statement(const queue& from, int max_count);
// Puts one notification back. The reply is a number: on an ordered channel, those of its key that were taken after it
// go back too.
statement requeue_statement(std::int64_t id, const handler_failure& failure);
statement claim_statement(const queue& from, int max_count, milliseconds lease, lease_end end);
// Claims the next notification, without any content that the connection's encoding might not carry: receipt, id,
// attempts.
statement blind_claim_statement(const queue& from, milliseconds lease);
statement ack_statement(const std::vector<std::string>& receipts);
statement nack_statement(const std::string& receipt, const handler_failure& failure);
statement release_statement(const std::vector<std::string>& receipts);
statement extend_statement(const std::vector<std::string>& receipts, milliseconds lease, lease_end end);
statement recover_statement(const std::optional<std::string>& channel, int chunk_size);
statement publish_statement(const message& what);
statement publish_batch_statement(const message_batch& what);
statement next_due_statement(const queue& from);
// Like the statement above, and also returns whether the subscription is paused.
statement next_due_or_paused_statement(const queue& from);
// Returns the kind of a channel: "queue" or "broadcast"; no row if it does not exist, or the user may not consume from
// it.
statement kind_statement(const std::string& channel);
// Raises an error unless the text is JSON that the server takes.
statement check_json_statement(const std::string& text);
// Its reply, after a while, is the name of one of the channels, which may have work; or null if the time is over.
statement wait_statement(const std::vector<std::string>& channels, milliseconds time_limit,
                         const std::string& subscription);
// Returns the envelope of a broadcast that was sent by reference, or null. Raises an error unless the channel is a
// broadcast channel at that moment (42809) that exists (42704) and from which the user may consume (42501).
statement read_broadcast_statement(const std::string& channel, std::int64_t id);
inline constexpr std::int64_t no_broadcast = 0;  // an id of no broadcast: the statement above checks the channel only

std::vector<notification> read_taken(const PGresult* rows);
std::vector<claimed> read_claimed(const PGresult* rows);
std::int64_t read_number(const PGresult* rows);
std::vector<std::int64_t> read_numbers(const PGresult* rows);
std::optional<std::string> read_text(const PGresult* rows);  // no value: null, or no row
std::optional<milliseconds> read_next_due(const PGresult* rows);
bool read_paused(const PGresult* rows);

// Checks that the database has the extension, new enough for this client; otherwise throws error 0A000 with a hint.
// Returns the server process.
server_process check_extension(connection& server);

inline constexpr const char* server_process_query =
    "SELECT pg_catalog.pg_backend_pid(), pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())";
server_process read_server_process(const PGresult* rows);

// Keeps a consumer's connection alive, which may be idle until something comes.
inline constexpr const char* stay_connected = "SET idle_session_timeout = 0";

// Returns the same error. If a right is lacking and the server gives no hint, adds what to do about it.
error with_privilege_hint(const error& e, const connection& server, std::string_view channel,
                          std::string_view privilege);

}  // namespace pgpubsub::inline v0
