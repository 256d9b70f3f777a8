// Has the worker make a channel that a capture uses first, in a transaction of its own.
//
// If the writer made the channel, the channel would be locked until the writer's transaction ends. Two transactions
// that use the same two channels first would wait for each other, as would the connections of one distributed
// transaction. A channel that the worker makes is there at once, for all sessions, and stays when the writer rolls
// back.
//
// Steps:
// 1. The writer asks in shared memory, and waits for a limited time.
// 2. Whatever the outcome, it then looks for the channel.
// 3. If the channel is not there, the writer makes it itself. That happens without preload, without a worker, if the
//    owner is a role that no other session sees yet, and if another session is just making the channel.
#pragma once

#include "channel/channel.hpp"
#include "shmem/shared_memory.hpp"

namespace pgpubsub {

extern const shared_part channel_requests_part;

// Asks the worker to make a queue channel of `owner`, and waits until the worker has tried.
void ask_worker_for_channel(std::string_view name, Oid owner);

// For the worker: makes the channels for which it was asked. Must be called outside of any transaction; may fail.
void make_requested_channels();

}  // namespace pgpubsub
