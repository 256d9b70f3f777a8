// Channels and their subscriptions: finding them, making a channel, and who may do what with it.
//
// What a session has read of the channels it remembers, until somebody changes a channel, a subscription or a right: a
// trigger on the three tables then sends a relcache invalidation, which reaches all sessions when the change commits.
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
    broadcast,  // each notification reaches everybody who listens just then
};

// A channel by value: it stays what it is whatever happens to the session's memory of channels.
struct channel {
    int32 id;
    char name[NAMEDATALEN];
    channel_kind kind;
    bool ordered;
    int64 retention;  // microseconds; of broadcasts
};

// A durable copy of a queue channel, by value too.
struct subscription {
    int32 id;
    int32 channel_id;
    char name[NAMEDATALEN];
    bool paused;
    int max_attempts;  // 0: no end
    backoff back_off;
    int64 history;        // microseconds for which what was processed is kept; 0: not at all
    const Jsonb* filter;  // only payloads that contain it are stored; null: all. In the current memory context.
};

inline constexpr const char* default_subscription = "default";

// What a new subscription has.
inline constexpr int default_max_attempts = 25;
inline constexpr backoff default_backoff = {.base = USECS_PER_SEC, .factor = 2, .max = USECS_PER_HOUR, .jitter = 0.2};
inline constexpr int64 default_retention = USECS_PER_HOUR;

enum class privilege { publish, consume, owner };

// Registers the callback that keeps the memory of channels up to date. Called once, when the library is loaded.
void watch_channels();

// Another number than before: what was read of channels, subscriptions and rights may be out of date. Whoever keeps any
// of it while other code runs (a function of a user's, that may drop it) looks again.
uint64 channels_generation();

// Why a name can't be a channel's or, as `what` says, a subscription's: name_too_long (42622),
// invalid_parameter_value (22023) for an empty one.
problem problem_of_name(std::string_view name, const char* what);
// Reports it as an error.
void check_name(std::string_view name, const char* what);

// Looks a channel up; false where there is none.
bool find_channel(std::string_view name, channel* result);
bool find_channel(int32 id, channel* result);

// What is advised to whoever names a channel that does not exist: to make it, or to look for the one that was meant.
enum class if_missing { make_it, look_for_another };

// The channel of that name. Errors: undefined_object (42704), and those of check_name.
channel get_channel(std::string_view name, if_missing advice = if_missing::make_it);

// The same, and only if it is a queue channel. Errors: wrong_object_type (42809) too.
channel get_queue_channel(std::string_view name, if_missing advice = if_missing::make_it);

// InvalidOid where it has none; the number of a role that may be gone.
Oid owner_of(const channel& c);

// Looks a subscription up; false where there is none.
bool find_subscription(const channel& c, std::string_view name, subscription* result);
bool find_subscription(int32 id, subscription* result);

// The subscription of that name. Errors: undefined_object (42704).
subscription get_subscription(const channel& c, std::string_view name);

// All subscriptions of a channel, oldest first, as an array in the current memory context.
std::span<const subscription> subscriptions_of(const channel& c);

// Who makes a channel: this transaction; or the worker where there is one (channel_request.hpp), and then it stays if
// this transaction rolls back.
enum class made_by { this_transaction, worker };

// The channel of that name, made as a queue channel of `owner` if there is none. `created`: by this transaction. A
// session that makes the same channel at the same time waits for the other one's transaction to end, then uses what it
// left.
channel get_or_create_channel(std::string_view name, Oid owner, bool* created,
                              made_by maker = made_by::this_transaction);

// Makes it, unless it is there, or somebody else is making it. For the worker.
void create_channel_if_free(std::string_view name, Oid owner);

bool has_privilege(int32 channel_id, Oid role, privilege wanted);

// Errors: insufficient_privilege (42501).
void check_privilege(const channel& c, Oid role, privilege wanted);

// Stores a new subscription with the default settings, and returns its id.
int32 create_subscription(int32 channel_id, std::string_view name);

// The channels on which `role` has that privilege, ordered by id, as an array in the current memory context.
std::span<const channel> channels_with(Oid role, privilege wanted);

// The channels of which `role` may consume, as an array in the current memory context.
std::span<const channel> consumable_channels(Oid role);

// All subscriptions of these channels, likewise.
std::span<const subscription> consumable_subscriptions(Oid role);

// Reads 'publish' or 'consume'. Errors: invalid_parameter_value (22023).
privilege parse_privilege(std::string_view name);
const char* privilege_name(privilege p);

}  // namespace pgpubsub
