// Channels and their subscriptions: finding them, making a channel, and the rights on it.
//
// A session remembers what it has read of channels, until a channel, a subscription or a right is changed. A trigger on
// the three tables then sends a relcache invalidation, which reaches all sessions when the change commits.
#pragma once

#include "pg/postgres.hpp"
#include "pg/problem.hpp"
#include "pure/backoff.hpp"
#include "pure/limits.hpp"

#include <span>

namespace pgpubsub {

static_assert(max_channel_bytes == NAMEDATALEN - 1);

enum class channel_kind {
    queue,      // each notification is processed by one consumer of each subscription
    broadcast,  // each notification reaches every session that listens just then
};

// A channel by value: it stays the same whatever happens to the session's memory of channels.
struct channel {
    int32 id;
    char name[NAMEDATALEN];
    channel_kind kind;
    bool ordered;
    int64 retention;  // in microseconds; for broadcast channels
};

// A durable copy of a queue channel, by value too.
struct subscription {
    int32 id;
    int32 channel_id;
    char name[NAMEDATALEN];
    bool paused;
    int max_attempts;  // 0: no end
    backoff back_off;
    int64 history;        // for how many microseconds a processed notification is kept; 0: not at all
    const Jsonb* filter;  // only payloads that contain it are stored; null: all. In the current memory context.
};

inline constexpr const char* default_subscription = "default";

// The settings of a new subscription.
inline constexpr int default_max_attempts = 25;
inline constexpr backoff default_backoff = {.base = USECS_PER_SEC, .factor = 2, .max = USECS_PER_HOUR, .jitter = 0.2};
inline constexpr int64 default_retention = USECS_PER_HOUR;

enum class privilege { publish, consume, owner };

// Registers the callback that keeps the memory of channels up to date. Called once, when the library is loaded.
void watch_channels();

// Returns a number that changes when what was read of channels, subscriptions and rights may be out of date. A caller
// that keeps some of it while other code runs (a user's function, which may drop it) must look again.
uint64 channels_generation();

// Returns why a name can't be a channel's or, as `what` says, a subscription's. Codes: name_too_long (42622);
// invalid_parameter_value (22023) for an empty name.
problem problem_of_name(std::string_view name, const char* what);
// Reports that problem as an error.
void check_name(std::string_view name, const char* what);

// Looks a channel up; false if there is none.
bool find_channel(std::string_view name, channel* result);
bool find_channel(int32 id, channel* result);

// The advice for a caller that names a channel that does not exist: to make it, or to look for the one that was meant.
enum class if_missing { make_it, look_for_another };

// Returns the channel of that name. Errors: undefined_object (42704), and those of check_name.
channel get_channel(std::string_view name, if_missing advice = if_missing::make_it);

// Does the same, and accepts only a queue channel. Errors: wrong_object_type (42809), too.
channel get_queue_channel(std::string_view name, if_missing advice = if_missing::make_it);

// Returns the owner; InvalidOid if the channel has none. The role with that number may be gone.
Oid owner_of(const channel& c);

// Looks a subscription up; false if there is none.
bool find_subscription(const channel& c, std::string_view name, subscription* result);
bool find_subscription(int32 id, subscription* result);

// Returns the subscription of that name. Errors: undefined_object (42704).
subscription get_subscription(const channel& c, std::string_view name);

// Returns all subscriptions of a channel, oldest first, as an array in the current memory context.
std::span<const subscription> subscriptions_of(const channel& c);

// What makes a channel: this transaction; or the worker if there is one (channel_request.hpp). A channel that the
// worker made stays if this transaction rolls back.
enum class made_by { this_transaction, worker };

// Returns the channel of that name. If there is none, makes a queue channel of `owner`. `created`: this transaction
// made it. A session that makes the same channel at the same time waits for the other one's transaction to end, then
// uses what that transaction left.
channel get_or_create_channel(std::string_view name, Oid owner, bool* created,
                              made_by maker = made_by::this_transaction);

// Makes the channel, unless it is there, or another session is making it. For the worker.
void create_channel_if_free(std::string_view name, Oid owner);

bool has_privilege(int32 channel_id, Oid role, privilege wanted);

// Errors: insufficient_privilege (42501).
void check_privilege(const channel& c, Oid role, privilege wanted);

// Stores a new subscription with the default settings, and returns its id.
int32 create_subscription(int32 channel_id, std::string_view name);

// Returns the channels on which `role` has that privilege, ordered by id, as an array in the current memory context.
std::span<const channel> channels_with(Oid role, privilege wanted);

// Returns the channels from which `role` may consume, as an array in the current memory context.
std::span<const channel> consumable_channels(Oid role);

// Returns all subscriptions of these channels, as an array in the current memory context.
std::span<const subscription> consumable_subscriptions(Oid role);

// Returns the privilege that 'publish' or 'consume' names. Errors: invalid_parameter_value (22023).
privilege parse_privilege(std::string_view name);
const char* privilege_name(privilege p);

}  // namespace pgpubsub
