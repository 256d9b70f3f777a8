// A channel that a capture uses first is made by the worker, in a transaction of its own.
//
// Made by the writer, it would be locked until that transaction ends, and two transactions that use the same two
// channels first would wait for each other, as would the connections of one distributed transaction. Made by the worker
// it is there at once, for all, and stays when the writer rolls back.
//
// The writer asks in shared memory and waits, for a limited time; whatever the outcome, it looks for the channel then,
// and makes it itself if it is not there: without preload, without a worker, where the owner is a role that nobody else
// sees yet, and where somebody else is just making it.
#pragma once

#include "channel/channel.hpp"
#include "shmem/shared_memory.hpp"

namespace pgpubsub {

extern const shared_part channel_requests_part;

// Lets the worker make a queue channel of `owner`, and waits until it has tried.
void ask_worker_for_channel(std::string_view name, Oid owner);

// In the worker: makes what it was asked for. Outside of any transaction; may fail.
void make_requested_channels();

}  // namespace pgpubsub
