// Makes calls that can't be interrupted and have no limit of their own, such as asking a name server.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/inbox.hpp"
#include "base/poll.hpp"

namespace pgpubsub::inline v0 {

// Calls `call` in a thread of its own. The thread is left behind if the time is over (then there is no result), or if
// another stop is posted (then it throws interrupted). So the call must own all that it uses, and must not throw.
template <typename Call, typename Result = std::invoke_result_t<Call>>
std::optional<Result> call_within(clock::time_point deadline, inbox* in, Call call) {
    struct shared {
        std::mutex mutex;
        std::optional<Result> result;
        int done = ::eventfd(0, EFD_CLOEXEC);
        ~shared() { ::close(done); }
    };
    const auto state = std::make_shared<shared>();
    const int stops = in != nullptr ? in->stops() : 0;
    try {
        std::thread([state, call = std::move(call)]() mutable {
            auto result = call();
            {
                const std::scoped_lock lock(state->mutex);
                state->result = std::move(result);
            }
            ::eventfd_write(state->done, 1);
        }).detach();
    } catch (const std::system_error&) {  // no thread is available
        return std::nullopt;
    }
    std::array<pollfd, 2> waits{{{state->done, POLLIN, 0}, {in != nullptr ? in->fd() : -1, POLLIN, 0}}};
    while (poll_until(waits, deadline)) {
        if (waits[0].revents != 0) {
            const std::scoped_lock lock(state->mutex);
            return std::move(state->result);
        }
        if (in == nullptr)
            continue;
        in->read();
        if (in->stops() > stops)
            throw interrupted();
    }
    return std::nullopt;
}

}  // namespace pgpubsub::inline v0
