// Guarantees that no failure is retried silently, that one which waiting can't mend is reported at once
// while the consumer starts, and that a stop ends the pauses.

#include "reconnect.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "connection.hpp"
#include "inbox.hpp"
#include "logger.hpp"
#include "poll.hpp"
#include "random.hpp"
#include "sqlstate.hpp"

namespace pgpubsub::inline v0 {

reconnector::reconnector(const consumer_options& options, logger& log, inbox& in, std::string_view purpose)
    : options_(options),
      log_(log),
      inbox_(in),
      purpose_(purpose),
      pauses_(options.reconnect_delay_min, options.reconnect_delay_max) {}

void reconnector::until_connected(const std::function<void()>& attempt) {
    const auto deadline = options_.give_up_after ? clock::now() + *options_.give_up_after : clock::time_point::max();
    bool refused = false;
    for (;;) {
        try {
            attempt();
            connected_once_ = true;
            if (lost_at_)
                log_.warning("{}: connected again after {:.1f} s", purpose_,
                             std::chrono::duration<double>(clock::now() - *lost_at_).count());
            lost_at_.reset();
            return;
        } catch (const error& e) {
            // A server that was still starting up refuses too, and may be ready by the time it is asked what the
            // matter was; so a refusal is only believed when it is repeated.
            if (e.sqlstate() == sqlstate::server_rejected && !std::exchange(refused, true)) continue;
            if (sqlstate::is_permanent(e.sqlstate())) throw;
            // A server that refuses us may have been changed for good, or just be restoring its password
            // file: final while the consumer starts, a matter of waiting once it has worked.
            if (!connected_once_ && (!e.retryable() || !options_.give_up_after)) throw;
            if (clock::now() >= deadline) throw;
            if (inbox_.stops() > 0) {
                log_.warning("{}: {}; stopping without it", purpose_, e.what());
                throw interrupted();
            }
            pause(e.what(), deadline);
        }
    }
}

void reconnector::lost(std::string_view why) {
    if (!lost_at_) lost_at_ = clock::now();
    log_.warning("{}: {}; reconnecting", purpose_, why);
}

void reconnector::pause(std::string_view failure, clock::time_point limit) {
    const auto delay = pauses_.next(random_unit());
    const auto deadline = std::min(clock::now() + delay, limit);
    log_.write(worth_a_warning(pauses_.failures()) ? log_level::warning : log_level::info,
               fmt::format("{}: {}; next attempt in {:.1f} s", purpose_, failure,
                           std::chrono::duration<double>(deadline - clock::now()).count()));
    const int stops = inbox_.stops();
    std::array<pollfd, 1> waits{{{inbox_.fd(), POLLIN, 0}}};
    while (poll_until(waits, deadline)) {
        inbox_.read();
        if (inbox_.stops() > stops) throw interrupted();
    }
}

}  // namespace pgpubsub::inline v0
