// poll(2) until a point in time, for the few descriptors that a client thread waits for.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/clock.hpp"

namespace pgpubsub::inline v0 {

// Returns true if a descriptor is ready, false at the deadline. A signal doesn't end the wait: its handler writes into
// a pipe that is among the descriptors.
inline bool poll_until(std::span<pollfd> descriptors, clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<milliseconds>(deadline - clock::now()).count();
        const int timeout = static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
        const int ready = ::poll(descriptors.data(), descriptors.size(), timeout);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return true;  // the caller's next call reports it
        if (clock::now() >= deadline)
            return false;
    }
}

}  // namespace pgpubsub::inline v0
