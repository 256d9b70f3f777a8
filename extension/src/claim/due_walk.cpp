#include "claim/due_walk.hpp"

#include "channel/catalog.hpp"

namespace pgpubsub {

due_walk due_walk::begin(const notification_table& table, int32 subscription_id, Snapshot snapshot,
                         const known_place* known) {
    due_walk walk{};
    walk.subscription_id_ = subscription_id;
    walk.snapshot_ = snapshot;
    walk.known_ = known;
    walk.recorder_ = range_recorder::begin(known);
    walk.recorder_.enter(due_lane, bottom);
    walk.fates_ = fate_finder::begin(table, snapshot);
    walk.ahead_ = known->at_or_behind(due_lane, bottom);
    known_place::passage passed = {nullptr, nullptr, bottom, bottom, 0, false};
    if (walk.ahead_ != nullptr && walk.ahead_->from == bottom)
        passed = known->passage_through(*walk.ahead_);
    walk.passed_busy_ = passed.is_busy;
    walk.recorder_.skip(passed.from, passed.to);
    ScanKeyData keys[] = {equals_int4(1, subscription_id), from_time(2, passed.to), until_time(2, known->now())};
    walk.scan_ =
        notification_scan::begin(table, our_catalog().notification_due, snapshot, keys, notification_scan::with_keys);
    return walk;
}

void due_walk::add(const event& e) {
    if (event_count_ == event_capacity_) {
        event_capacity_ = Max(event_capacity_ * 2, 64);
        const Size size = event_capacity_ * sizeof(event);
        events_ = static_cast<event*>(events_ == nullptr ? palloc(size) : repalloc_huge(events_, size));
    }
    events_[event_count_++] = e;
}

void due_walk::note_entry(int64 at, entry_fate fate) {
    if (event_count_ == 0) {  // all rows before it are settled
        recorder_.note(at, fate);
        return;
    }
    event& last = events_[event_count_ - 1];
    if (last.kind == event::entries && last.fate == fate) {
        last.last = at;
        ++last.count;
    } else {
        add({.kind = event::entries, .first = at, .last = at, .fate = fate, .count = 1});
    }
}

// Returns true if the entry is in a known range, so that the walk skips it. Moves the scan behind the range if that
// saves time.
bool due_walk::passes_over(int64 at) {
    if (ahead_ != nullptr && ahead_->to <= at)
        ahead_ = known_->at_or_behind(due_lane, at);
    if (ahead_ == nullptr || ahead_->from > at)
        return false;
    const known_place::passage passed = known_->passage_through(*ahead_);
    passed_busy_ = passed_busy_ || passed.is_busy;
    if (event_count_ == 0)
        recorder_.skip(passed.from, passed.to);
    else if (const event& last = events_[event_count_ - 1]; last.kind != event::known_range || last.last != passed.to)
        add({.kind = event::known_range, .first = passed.from, .last = passed.to, .fate = {}, .count = 0});
    if (passed.is_long()) {
        ScanKeyData keys[] = {equals_int4(1, subscription_id_), from_time(2, passed.to), until_time(2, known_->now())};
        scan_.restart(snapshot_, keys);
    }
    return true;
}

bool due_walk::next() {
    while (!is_at_end_) {
        if (!scan_.next_entry()) {
            is_at_end_ = true;
            break;
        }
        CHECK_FOR_INTERRUPTS();
        const int64 at = DatumGetTimestampTz(scan_.entry_key(2));
        if (passes_over(at))
            continue;
        if (scan_.fetch()) {
            add({.kind = event::row, .first = at, .last = at, .fate = {entry_fate::stays, 0}, .count = 1});
            return true;
        }
        ++stepped_over_;
        note_entry(at, fates_.of_entry(scan_.entry_tid(), scan_.is_entry_dead()));
    }
    return false;
}

void due_walk::removed(int number) { events_[number].fate = fates_.of_removed(); }

void due_walk::all_are_settled() {
    for (int i = 0; i < event_count_; ++i) {
        const event& e = events_[i];
        if (e.kind == event::known_range) {
            recorder_.skip(e.first, e.last);
            continue;
        }
        recorder_.note(e.first, e.fate, e.last == e.first ? e.count : e.count - 1);
        if (e.last != e.first)
            recorder_.note(e.last, e.fate);
    }
    event_count_ = 0;
}

Datum due_walk::get(AttrNumber c) const {
    bool null;
    return scan_.get(c, &null);
}

void due_walk::end() {
    all_are_settled();
    if (is_at_end_)
        recorder_.leave(top);
    else
        recorder_.leave_before_last();  // other rows may be due at the same time
    fates_.end();
    scan_.end();
}

}  // namespace pgpubsub
