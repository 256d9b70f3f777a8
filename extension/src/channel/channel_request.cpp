#include "channel/channel_request.hpp"

#include "channel/catalog.hpp"
#include "shmem/databases.hpp"

namespace pgpubsub {
namespace {

constexpr int max_requests = 32;
// How long a writer waits. The worker needs some milliseconds, unless it is busy with something else.
constexpr long patience_ms = 2000;
// After this time no session waits for a request any more: its entry may be used again.
constexpr int64 forgotten_after = USECS_PER_MINUTE;

struct request {
    uint64 number;  // 0: the entry is free
    bool is_taken;  // a worker has taken it
    Oid database;
    Oid owner;
    TimestampTz asked_at;
    char name[NAMEDATALEN];
};

struct shared_requests {
    slock_t lock;
    ConditionVariable done;
    uint64 last_number;
    request places[max_requests];
};

shared_requests* all = nullptr;

Size size() { return sizeof(shared_requests); }

void attach(void* memory, bool is_new) {
    all = static_cast<shared_requests*>(memory);
    if (!is_new)
        return;
    *all = {};
    SpinLockInit(&all->lock);
    ConditionVariableInit(&all->done);
}

// Stores a request, and returns its position; -1 if all are in use.
int put(const request& r, uint64* number) {
    int place = -1;
    SpinLockAcquire(&all->lock);
    for (int i = 0; i < max_requests && place < 0; ++i)
        if (all->places[i].number == 0 || r.asked_at - all->places[i].asked_at > forgotten_after) {
            place = i;
            all->places[i] = r;
            *number = all->places[i].number = ++all->last_number;
        }
    SpinLockRelease(&all->lock);
    return place;
}

bool is_done(int place, uint64 number) {
    SpinLockAcquire(&all->lock);
    const bool result = all->places[place].number != number;
    SpinLockRelease(&all->lock);
    return result;
}

// Takes a request of this database; false if there is none.
bool take_one(request* r) {
    bool found = false;
    SpinLockAcquire(&all->lock);
    for (int i = 0; i < max_requests && !found; ++i)
        if (request& place = all->places[i]; place.number != 0 && place.database == MyDatabaseId) {
            place.is_taken = true;
            *r = place;
            found = true;
        }
    SpinLockRelease(&all->lock);
    return found;
}

// Ends the requests that were taken: the present one, or one at which an earlier round or worker has failed. Such a
// request is not tried again: the session that waits makes the channel then, and is told what is wrong.
void finish_taken() {
    bool any = false;
    SpinLockAcquire(&all->lock);
    for (request& r : all->places)
        if (r.number != 0 && r.is_taken && r.database == MyDatabaseId) {
            r.number = 0;
            any = true;
        }
    SpinLockRelease(&all->lock);
    if (any)
        ConditionVariableBroadcast(&all->done);
}

void make(const request& r) {
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    if (SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(r.owner)))
        create_channel_if_free(r.name, r.owner);
    PopActiveSnapshot();
    CommitTransactionCommand();
}

}  // namespace

const shared_part channel_requests_part = {"pgpubsub channel requests", size, attach};

void ask_worker_for_channel(std::string_view name, Oid owner) {
    shared_database* const d = has_shared_memory() ? our_database() : nullptr;
    if (d == nullptr || !has_worker(d))
        return;
    request wanted{};
    wanted.database = MyDatabaseId;
    wanted.owner = owner;
    wanted.asked_at = GetCurrentTimestamp();
    memcpy(wanted.name, name.data(), Min(name.size(), sizeof wanted.name - 1));
    uint64 number;
    const int place = put(wanted, &number);
    if (place < 0)
        return;
    wake_worker(d);
    const TimestampTz until = wanted.asked_at + patience_ms * 1000;
    ConditionVariablePrepareToSleep(&all->done);
    while (!is_done(place, number) && has_worker(d)) {
        const long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
        if (left <= 0 || ConditionVariableTimedSleep(&all->done, left, PG_WAIT_EXTENSION))
            break;
    }
    ConditionVariableCancelSleep();
    // From now on the session sees what the worker has committed.
    AcceptInvalidationMessages();
}

void make_requested_channels() {
    finish_taken();
    for (request r; take_one(&r);) {
        make(r);
        finish_taken();
    }
}

}  // namespace pgpubsub
