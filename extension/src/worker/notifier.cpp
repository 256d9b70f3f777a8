#include "worker/notifier.hpp"

#include "channel/channel.hpp"
#include "pg/hash_table.hpp"
#include "pg/settings.hpp"
#include "pure/steady_clock.hpp"
#include "shmem/marks.hpp"
#include "shmem/sessions.hpp"
#include "worker/maintenance.hpp"
#include "worker/prepared_hints.hpp"

namespace pgpubsub {
namespace {

// Time that an addressed consumer has to begin a claim before more consumers are woken. It doubles with each round: on
// a busy machine claims are late, and waking everybody would not help.
constexpr int64 time_to_claim = 10'000;
constexpr int64 longest_time_to_claim = 80'000;
// Shortest time between two rounds in which claims that leave something wake further consumers of a channel.
constexpr int64 spreading_pause = 10'000;
// After such a time without a round, the spreading of a channel's work begins anew with one more consumer.
constexpr int64 spreading_memory = 100'000;
// Shortest time between two wake-ups of the consumers of all channels.
constexpr int64 pause_between_all = USECS_PER_SEC;
// Shortest time between two searches for marks of channels that are gone.
constexpr int64 pause_between_reclaims = USECS_PER_MINUTE;
// Most pids that go into a payload.
constexpr int max_addressees = 200;

// What is known of a channel that has received a hint.
struct hinted_channel {
    int32 id;             // the hash key
    channel_mark* mark;   // null: unknown
    bool is_due;          // is in the list of channels to be sent next
    bool is_followed;     // is in the list of channels for which a claim is awaited
    bool is_for_all;      // to all consumers
    bool is_for_waiting;  // only to waiting consumers
    bool is_gone;         // the channel was found to be gone while sending
    hinted_channel* next_due;
    hinted_channel* next_followed;
    int addressees;      // how many consumers are to be woken next
    int64 hinted_at;     // time of the latest hint; a claim that began later has seen what the hint is about
    int64 told_at;       // when consumers were last woken
    bool all_were_told;  // at that time
    int64 follow_up_at;  // when they are woken again, or more are, if no claim has begun; never: no follow-up
    int64 time_to_claim;
    int64 spread_at;    // when claims last woke further consumers
    int64 next_spread;  // when they do next; never: not planned
    int spread_to;      // number of these consumers
    uint32 turn;        // lets the consumers take turns
};
static_assert(survives_longjmp<hinted_channel>);

HTAB* channels = nullptr;
hinted_channel* due = nullptr;
hinted_channel* followed = nullptr;
bool all_are_due = false;
int64 all_sent_at = -pause_between_all;
int64 reclaimed_at = -pause_between_reclaims;
uint32 not_collected = 0;  // the rest of the list of marks
int64 last_handled = 0;    // when hints were last sent, or held back
int64 next_look = never;
StringInfoData payload;

hinted_channel* entry_of(int32 channel_id) {
    bool found;
    auto* const h = static_cast<hinted_channel*>(hash_search(channels, &channel_id, HASH_ENTER, &found));
    if (!found)
        *h = {.id = channel_id, .follow_up_at = never, .time_to_claim = time_to_claim, .next_spread = never};
    return h;
}

void make_due(hinted_channel* h) {
    if (!h->is_due) {
        h->is_due = true;
        h->next_due = due;
        due = h;
    }
}

void hint_at(hinted_channel* h) {
    if (!h->is_due)
        h->is_for_waiting = false;
    make_due(h);
    h->addressees = Max(h->addressees, 1);
    h->hinted_at = steady_now();
    h->time_to_claim = time_to_claim;
}

// Returns whether all consumers were woken and none has begun a claim since: the next claims will find what the present
// hint is about as well. A claim that began earlier may be noted only later; that is why the wake-ups are followed up
// all the same.
bool is_awaited(const hinted_channel& h) {
    return h.all_were_told && h.follow_up_at != never && last_claim(h.mark) <= h.told_at;
}

// Hints only at waiting consumers: another process has sent the NOTIFY.
void hint_at_waiting(hinted_channel* h) {
    const bool for_all = h->is_due && !h->is_for_waiting;
    hint_at(h);
    h->is_for_waiting = !for_all;
}

void look_again_at(hinted_channel* h) {
    const int64 at = Min(h->follow_up_at, h->next_spread);
    next_look = Min(next_look, at);
    if (at != never && !h->is_followed) {
        h->is_followed = true;
        h->next_followed = followed;
        followed = h;
    }
}

// Wakes further consumers, because claims have left something; the more, the longer that goes on.
void spread(hinted_channel* h, int64 now) {
    h->spread_to = now - h->spread_at < spreading_memory ? Min(2 * h->spread_to, max_addressees) : 1;
    h->spread_at = now;
    h->next_spread = never;
    begin_spread(h->mark);
    h->addressees = Max(h->addressees, h->spread_to);
    hint_at(h);
    h->is_for_waiting = false;
}

void hint_at_prepared(int32 channel_id) {
    if (channel_id == 0)
        all_are_due = true;
    else
        hint_at(entry_of(channel_id));
    note_due(channel_id, DT_NOBEGIN);  // the transaction may have stored rows that are due later
}

bool has_one_subscription(const channel& c) { return subscriptions_of(c).size() == 1; }

struct woken {
    uint64 notifies;
    uint64 waiting;
};

// Wakes `wanted` sessions that are interested in the channel. Returns how many were woken in each way.
woken wake(const channel& c, std::span<const interested_session> sessions, hinted_channel* h, int wanted) {
    const uint32 hash = name_hash(MyDatabaseId, c.name);
    int waiting = 0, listening = 0;
    for (const interested_session& s : sessions) {
        waiting += s.waits_for(hash);
        listening += s.listens_to(hash);
    }
    if (h->is_for_waiting)
        listening = 0;
    const bool is_for_all =
        h->is_for_all || wanted >= waiting + listening || wanted > max_addressees || !has_one_subscription(c);
    woken result{};
    resetStringInfo(&payload);
    // Lets the sessions take turns: the first `from` sessions of each kind come last.
    const auto wake_waiting_from = [&](int from, int to) {
        int i = 0;
        for (const interested_session& s : sessions)
            if (s.waits_for(hash) && i++ >= from && i <= to && (is_for_all || wanted > 0) && wake_waiting(s)) {
                ++result.waiting;
                --wanted;
            }
    };
    const auto address_from = [&](int from, int to) {
        int i = 0;
        for (const interested_session& s : sessions)
            if (s.listens_to(hash) && i++ >= from && i <= to && wanted > 0) {
                appendStringInfo(&payload, "%s%d", payload.len > 0 ? "," : "", s.pid);
                --wanted;
            }
    };
    const uint32 turn = h->turn++;
    const int first_waiting = waiting > 0 ? static_cast<int>(turn % waiting) : 0;
    const int first_listening = listening > 0 ? static_cast<int>(turn % listening) : 0;
    wake_waiting_from(first_waiting, waiting);
    wake_waiting_from(0, first_waiting);
    if (!is_for_all && listening > 0) {
        address_from(first_listening, listening);
        address_from(0, first_listening);
    }
    if (listening > 0 && (is_for_all || payload.len > 0)) {
        Async_Notify(c.name, payload.data);
        ++result.notifies;
    }
    if (h->mark == nullptr)
        h->mark = find_mark(c.id, c.name).mark;
    h->told_at = steady_now();
    h->all_were_told = is_for_all;
    h->follow_up_at = result.notifies + result.waiting == 0 ? never : h->told_at + h->time_to_claim;
    h->time_to_claim = Min(2 * h->time_to_claim, longest_time_to_claim);
    h->addressees = is_for_all ? 0 : 2 * Max(h->addressees, 1);
    look_again_at(h);
    return result;
}

void forget(hinted_channel* h) {
    if (h->mark != nullptr)
        free_mark(h->mark, h->id);
    hash_search(channels, &h->id, HASH_REMOVE, nullptr);
}

// Makes channels due for which no claim has begun in time, and stops following the others.
void look_at_claims(int64 now) {
    if (now < next_look)
        return;
    next_look = never;
    hinted_channel* h = followed;
    followed = nullptr;
    while (h != nullptr) {
        hinted_channel* const next = h->next_followed;
        h->is_followed = false;
        const int64 claimed_at = h->mark == nullptr ? 0 : last_claim(h->mark);
        if (h->follow_up_at != never && claimed_at > h->hinted_at) {
            h->follow_up_at = never;
            if (!h->is_due)
                h->addressees = 0;
        } else if (now >= h->follow_up_at) {
            h->follow_up_at = never;
            if (!h->all_were_told || h->hinted_at > h->told_at)
                make_due(h);
        }
        if (now >= h->next_spread)
            spread(h, now);
        if (h->is_gone && !h->is_due)
            forget(h);
        else
            look_again_at(h);
        h = next;
    }
}

// Frees the marks of channels that are gone, when there is little room.
void reclaim_marks(int64 now) {
    if (!marks_are_scarce() || now - reclaimed_at < pause_between_reclaims)
        return;
    reclaimed_at = now;
    uint32 place = 0;
    channel_mark* mark;
    int32 channel_id;
    channel c;
    while (next_mark_of_ours(&place, &mark, &channel_id))
        if (!find_channel(channel_id, &c))
            free_mark(mark, channel_id);
}

int64 next_sending_to_all() { return all_are_due ? all_sent_at + pause_between_all : never; }

// Works as SET LOCAL: the setting ends with the transaction, whatever its outcome.
void set_lock_timeout_of_transaction(const char* value) {
    (void)set_config_option("lock_timeout", value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

// Reports a lack of marks once, and again if it returns after it was over.
void say_whether_marks_suffice(shared_database* d) {
    static bool was_said = false;
    if (!marks_are_full()) {
        was_said = was_said && marks_are_scarce();
    } else if (!was_said) {
        was_said = true;
        constexpr const char* what =
            "there are more channels than shared memory has room for, so hints wake the consumers of all channels";
        note_error(d, what);
        ereport(WARNING, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("%s", what),
                errhint("Raise pgpubsub.shared_channels and restart the server."));
    }
}

void hint_at_all_channels() {
    for (const channel& c : consumable_channels(BOOTSTRAP_SUPERUSERID)) {
        if (c.kind != channel_kind::queue)
            continue;
        hinted_channel* const h = entry_of(c.id);
        h->is_for_all = true;
        hint_at(h);
    }
}

}  // namespace

void start_notifier(bool has_gap) {
    channels = make_hash_table<int32, hinted_channel>("pgpubsub hints", TopMemoryContext, 256);
    with_context(TopMemoryContext, [] { initStringInfo(&payload); });
    all_are_due = has_gap;
    find_prepared();
}

bool notifier_is_quiet() { return due == nullptr && followed == nullptr && !all_are_due && not_collected == 0; }

bool collect_hints(shared_database* d) {
    const uint32 tasks = pg_atomic_exchange_u32(&d->tasks, 0);
    if ((tasks & task::all_channels) != 0) {
        all_are_due = true;
        note_due(0, DT_NOBEGIN);
        say_whether_marks_suffice(d);
    }
    if ((tasks & task::dead_session) != 0)
        note_dead_session();
    if ((tasks & task::prepared) != 0)
        collect_prepared(d);

    // If this fails in the middle, the rest is collected the next time, and no consumer is forgotten.
    const bool all_were_due = all_are_due;
    all_are_due = true;
    if (not_collected == 0)
        not_collected = take_marks(d);
    for (taken_mark taken; next_mark(&not_collected, &taken);) {
        if (taken.due_at != DT_NOEND)
            note_due(taken.channel_id, taken.due_at);
        if (!taken.has_hint && !taken.has_hint_for_waiting && !taken.has_spread)
            continue;
        hinted_channel* const h = entry_of(taken.channel_id);
        h->mark = taken.mark;
        const bool is_told_together = h->is_due || (taken.has_hint && is_awaited(*h));
        pg_atomic_fetch_add_u64(&d->coalesced, is_told_together && (taken.has_hint || taken.has_hint_for_waiting));
        if (taken.has_hint && is_awaited(*h))
            h->hinted_at = last_handled = steady_now();
        else if (taken.has_hint)
            hint_at(h);
        else if (taken.has_hint_for_waiting)
            hint_at_waiting(h);
        if (taken.has_spread) {
            h->next_spread = h->spread_at + spreading_pause;
            look_again_at(h);
        }
    }
    all_are_due = all_were_due;
    return (tasks & task::extension) != 0;
}

void abandon_hints(shared_database* d) {
    for (int i = 0; i < 2; ++i) {
        for (taken_mark taken; next_mark(&not_collected, &taken);) {}
        if (not_collected == 0)
            not_collected = take_marks(d);
    }
}

int64 next_sending_allowed() { return last_handled + wakeup_delay() * INT64CONST(1000); }

int64 next_sending() {
    const int64 wanted = due != nullptr ? at_once : Min(Min(next_look, next_look_at_prepared()), next_sending_to_all());
    return Max(wanted, next_sending_allowed());
}

bool send_hints(shared_database* d) {
    const int64 now = steady_now();
    look_at_claims(now);
    const bool is_for_all_channels = next_sending_to_all() <= now;
    if (due == nullptr && !is_for_all_channels && next_look_at_prepared() > now)
        return false;
    pgstat_report_activity(STATE_RUNNING, "pgpubsub: waking consumers");
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    end_prepared(hint_at_prepared);
    if (is_for_all_channels)
        hint_at_all_channels();
    reclaim_marks(now);
    const std::span<const interested_session> sessions = interested_sessions(MyDatabaseId);
    woken sum{};
    for (hinted_channel* h = due; h != nullptr; h = h->next_due) {
        channel c;
        h->is_gone = !find_channel(h->id, &c);
        if (h->is_gone)
            continue;
        const woken one = wake(c, sessions, h, Max(h->addressees, 1));
        sum.notifies += one.notifies;
        sum.waiting += one.waiting;
    }
    PopActiveSnapshot();
    if (sum.notifies > 0)
        note_sent(sessions, now);
    // NOTIFYs of other applications, whose commits may be slow, are waited for.
    set_lock_timeout_of_transaction("10s");
    CommitTransactionCommand();
    pgstat_report_activity(STATE_IDLE, nullptr);
    // Only now: a hint that could not be sent is sent the next time.
    while (due != nullptr) {
        hinted_channel* const h = due;
        due = h->next_due;
        h->is_due = h->is_for_all = h->is_for_waiting = false;
        if (h->is_gone && !h->is_followed)
            forget(h);
    }
    if (is_for_all_channels) {
        all_are_due = false;
        all_sent_at = now;
    }
    if (sum.notifies + sum.waiting > 0)
        last_handled = steady_now();
    pg_atomic_fetch_add_u64(&d->notifies, sum.notifies);
    pg_atomic_fetch_add_u64(&d->woken, sum.waiting);
    return true;
}

}  // namespace pgpubsub
