#include "claim/range_recorder.hpp"

namespace pgpubsub {

range_recorder range_recorder::begin(const known_place* known) {
    range_recorder recorder{};
    recorder.known_ = known;
    return recorder;
}

void range_recorder::enter(int32 lane, int64 from) {
    has_lane_ = true;
    lane_ = lane;
    from_ = from;
    entries_ = 0;
    has_present_ = false;
}

// Several entries may have one number: versions of a row, or rows that are due at the same time. The weakest statement
// about one of them holds for all.
void range_recorder::note(int64 at, entry_fate fate, uint32 entries) {
    if (has_present_ && at_ == at) {
        present_entries_ += entries;
        if (present_ == fate || present_.kind == entry_fate::stays)
            return;
        const bool both_depend = present_.kind != entry_fate::gone && fate.kind != entry_fate::gone;
        if (fate.kind == entry_fate::stays || both_depend)
            present_ = {entry_fate::stays, 0};
        else if (present_.kind == entry_fate::gone)
            present_ = fate;
        return;
    }
    settle_present();
    has_present_ = true;
    at_ = at;
    present_ = fate;
    present_entries_ = entries;
}

void range_recorder::settle_present() {
    if (!has_present_)
        return;
    has_present_ = false;
    if (at_ < from_)
        return;
    if (present_.kind == entry_fate::stays) {
        close(at_);
        from_ = at_ + 1;
        return;
    }
    if (entries_ > 0 && fate_ != present_)
        close(at_);
    fate_ = present_;
    entries_ += present_entries_;
}

// Rows stored later are not in a range: the range ends where they begin.
void range_recorder::close(int64 to) {
    const int64 end = Min(to, known_->limit_of(lane_));
    if (entries_ > 0 && from_ < end) {
        finished_range range{};
        range.from = from_;
        range.to = end;
        range.owner = fate_.owner;
        range.lane = lane_;
        range.entries = entries_;
        range.kind = fate_.kind;
        known_->remember(range);
    }
    from_ = to;
    entries_ = 0;
}

void range_recorder::skip(int64 from, int64 to) {
    settle_present();
    if (from_ < from)
        close(from);
    from_ = Max(from_, to);
    entries_ = 0;
}

void range_recorder::leave(int64 to) {
    if (!has_lane_)
        return;
    settle_present();
    close(to);
    has_lane_ = false;
}

void range_recorder::leave_behind_last() {
    if (has_lane_ && has_present_)
        leave(at_ + 1);
    has_lane_ = false;
}

void range_recorder::leave_before_last() {
    if (has_lane_ && has_present_) {
        has_present_ = false;
        close(at_);
    }
    has_lane_ = false;
}

}  // namespace pgpubsub
