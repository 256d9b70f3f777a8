// The client's side of the extension's SQL surface: every call it makes, and how it reads the replies.
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

// Which process of which server a connection leads to. Behind a pooler libpq knows another pid.
struct server_process {
    int pid = 0;
    double server_started = 0;  // tells servers apart: seconds, with microseconds
};

// What a consumer takes from.
struct queue {
    std::string channel;
    std::string subscription = "default";
    std::optional<std::string> filter = {};  // jsonb containment on the payload
};

// What ends a lease that is neither acked nor extended: `setting` is the session's pgpubsub.lease_scope; `time` its
// time alone, for connections of which the session is somebody else's, such as a pooler's.
enum class lease_end { setting, time };

// How a notification failed.
struct handler_failure {
    std::string text;
    std::optional<milliseconds> delay = {};  // nothing: the back-off of the subscription
    bool reject = false;                     // it becomes a dead letter at once
};

// Each returns a statement for connection::pipeline() or exec().
statement take_statement(const queue& from, int max_count);
// Puts one back; its reply is how many: on an ordered channel those of its key that were taken after it come back too.
statement requeue_statement(std::int64_t id, const handler_failure& failure);
statement claim_statement(const queue& from, int max_count, milliseconds lease, lease_end end);
// The next one, with nothing that the connection's encoding might not carry: receipt, id, attempts.
statement blind_claim_statement(const queue& from, milliseconds lease);
statement ack_statement(const std::vector<std::string>& receipts);
statement nack_statement(const std::string& receipt, const handler_failure& failure);
statement release_statement(const std::vector<std::string>& receipts);
statement extend_statement(const std::vector<std::string>& receipts, milliseconds lease, lease_end end);
statement recover_statement(const std::optional<std::string>& channel, int chunk_size);
statement publish_statement(const message& what);
statement publish_batch_statement(const message_batch& what);
statement next_due_statement(const queue& from);
// The same, and whether the subscription is paused.
statement next_due_or_paused_statement(const queue& from);
// Which kind a channel is: "queue" or "broadcast"; no row if it does not exist, or the user may not consume from it.
statement kind_statement(const std::string& channel);
// An error unless the text is JSON that the server takes.
statement check_json_statement(const std::string& text);
// Its reply, after a while, is the name of one of the channels, which may have work; or null when the time is over.
statement wait_statement(const std::vector<std::string>& channels, milliseconds time_limit,
                         const std::string& subscription);
// The envelope of a broadcast that was sent by reference, or null. An error unless the channel is, just now, a
// broadcast channel (42809) that exists (42704) and that the user may consume from (42501).
statement read_broadcast_statement(const std::string& channel, std::int64_t id);
inline constexpr std::int64_t no_broadcast = 0;  // an id that none has: the statement above checks the channel only

std::vector<notification> read_taken(const PGresult* rows);
std::vector<claimed> read_claimed(const PGresult* rows);
std::int64_t read_number(const PGresult* rows);
std::vector<std::int64_t> read_numbers(const PGresult* rows);
std::optional<std::string> read_text(const PGresult* rows);  // nothing: null, or no row
std::optional<milliseconds> read_next_due(const PGresult* rows);
bool read_paused(const PGresult* rows);

// Throws error 0A000 with a hint unless the database has the extension, new enough for this client.
// Returns which server process it is.
server_process check_extension(connection& server);

inline constexpr const char* server_process_query =
    "SELECT pg_catalog.pg_backend_pid(), pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())";
server_process read_server_process(const PGresult* rows);

// A consumer's connection may be idle for as long as nothing comes.
inline constexpr const char* stay_connected = "SET idle_session_timeout = 0";

// The same error; when a right is lacking and the server's own hint says nothing, with what to do about it.
error with_privilege_hint(const error& e, const connection& server, std::string_view channel,
                          std::string_view privilege);

}  // namespace pgpubsub::inline v0
