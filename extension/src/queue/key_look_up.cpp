#include "queue/key_look_up.hpp"

namespace pgpubsub {

key_start key_start::recall(const key_name& name, int64 first) {
    key_start start{};
    start.known_ = known_key::recall(name);
    start.first_ = first;
    return start;
}

bool key_start::passed(const notification_scan& scan, int64 id, entry_reader* reader) {
    if (!learns_) {
        // Only a walk over everything that is not known to be gone can learn.
        learns_ = ++passed_ == worth_knowing && first_ <= known_.below() && known_.begin_learning() &&
                  first_ <= known_.below();
        return learns_;
    }
    if (has_end_)
        return false;
    has_end_ = !scan.is_entry_dead() && !reader->is_gone(*scan.entry_tid());
    end_ = id;
    if (!has_end_ && ++passed_ % learned_at_once == 0)
        known_.learned_so_far(id);
    return false;
}

void key_start::came_to(int64 id) {
    if (learns_)
        known_.learned(has_end_ ? end_ : id);
    learns_ = false;
}

}  // namespace pgpubsub
