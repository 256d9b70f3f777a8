// Channels: finding one by name or id, making one, and who may do what with it.
//
// What a session has read of the channels it remembers, until somebody changes a channel or a right: a trigger on
// the two tables then sends a relcache invalidation, which reaches all sessions when the change commits.
#pragma once

#include "limits.hpp"
#include "pg.hpp"

#include <span>

namespace pgpubsub {

static_assert(max_channel_bytes == NAMEDATALEN - 1);

// A channel by value: it stays what it is whatever happens to the session's memory of channels.
struct channel {
    int32 id;
    char name[NAMEDATALEN];
};

enum class privilege { publish, consume, owner };

// Registers the callback that keeps the memory of channels up to date. Called once, when the library is loaded.
void watch_channels();

// Refuses a name that can't be a channel's.
// Errors: name_too_long (42622), invalid_parameter_value (22023) for an empty one.
void check_channel_name(std::string_view name);

// Looks a channel up; false where there is none.
bool find_channel(std::string_view name, channel* result);
bool find_channel(int32 id, channel* result);

// The channel of that name. Errors: undefined_object (42704), and those of check_channel_name.
channel get_channel(std::string_view name);

// The channel of that name, made as a queue channel of `owner` if there is none. A session that makes the same channel
// at the same time waits for the other one's transaction to end, then uses what it left.
channel get_or_create_channel(std::string_view name, Oid owner, bool* created);

bool has_privilege(int32 channel_id, Oid role, privilege wanted);

// Errors: insufficient_privilege (42501).
void check_privilege(const channel& c, Oid role, privilege wanted);

// The channels of which `role` may consume, as an array in the current memory context.
std::span<const channel> consumable_channels(Oid role);

// Reads 'publish' or 'consume'. Errors: invalid_parameter_value (22023).
privilege parse_privilege(std::string_view name);
const char* privilege_name(privilege p);

}  // namespace pgpubsub
