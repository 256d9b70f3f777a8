// When a background process tries again after a failure. Pure: no PostgreSQL header, tested by test/unit/retry.cpp.
#pragma once

#include "pure/steady_clock.hpp"

namespace pgpubsub {

// An attempt counts as failed from its beginning until it reports success, because an ERROR leaves it by longjmp and
// reports nothing. After each failure in a row the pause is twice as long.
class retry {
public:
    // In microseconds.
    struct pauses {
        std::int64_t first;
        std::int64_t longest;
    };

    explicit constexpr retry(pauses p) : pauses_(p) {}

    bool may_try(std::int64_t now) const { return now >= not_before_; }
    bool is_failing() const { return failures_ > 0; }
    // The failures in a row; not counted any further once the pause has stopped growing.
    int failures() const { return failures_; }
    std::int64_t not_before() const { return not_before_; }

    // Runs f() if it is not too early. f returns whether it has done its task. False does not say that it
    // could not: the count of failures stays.
    template <typename F>
    void attempt(std::int64_t now, F f) {
        if (!may_try(now))
            return;
        const int before = failures_;
        fail(now);
        const bool done = f();
        failures_ = done ? 0 : before;
        not_before_ = at_once;
    }

    void succeed() {
        failures_ = 0;
        not_before_ = at_once;
    }
    void fail(std::int64_t now) {
        std::int64_t pause = pauses_.first;
        for (int i = 0; i < failures_ && pause < pauses_.longest; ++i)
            pause *= 2;
        not_before_ = now + (pause < pauses_.longest ? pause : pauses_.longest);
        if (pause < pauses_.longest)
            ++failures_;
        else if (failures_ == 0)
            failures_ = 1;
    }

    // Shortens the pause where the reason of the failure passes by itself.
    void wait_no_longer_than(std::int64_t now, std::int64_t pause) {
        if (not_before_ > now + pause)
            not_before_ = now + pause;
    }
    // Ends the pause where the reason of the failure may be gone. If it is not, the pauses go on growing.
    void try_at_once() { not_before_ = at_once; }

private:
    pauses pauses_;
    int failures_ = 0;
    std::int64_t not_before_ = at_once;
};

}  // namespace pgpubsub
