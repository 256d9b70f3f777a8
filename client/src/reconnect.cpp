// Guarantees that no failure is retried silently, that one which waiting can't mend is reported at once
// while the consumer starts, and that a stop ends the pauses.

#include "reconnect.hpp"

#include <array>

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
    const auto begun = clock::now();
    for (;;) {
        try {
            attempt();
            connected_once_ = true;
            return;
        } catch (const error& e) {
            if (sqlstate::is_permanent(e.sqlstate())) throw;
            // A server that refuses us may have been changed for good, or just be restoring its password
            // file: final while the consumer starts, a matter of waiting once it has worked.
            if (!connected_once_ && (!e.retryable() || !options_.give_up_after)) throw;
            if (options_.give_up_after && clock::now() - begun >= *options_.give_up_after) throw;
            if (inbox_.stops() > 0) {
                log_.warning("{}: {}; stopping without it", purpose_, e.what());
                throw interrupted();
            }
            pause(e.what());
        }
    }
}

void reconnector::pause(std::string_view failure) {
    const auto delay = pauses_.next(random_unit());
    log_.warning("{}: {}; next attempt in {:.1f} s", purpose_, failure, static_cast<double>(delay.count()) / 1000);
    const auto deadline = clock::now() + delay;
    const int stops = inbox_.stops();
    std::array<pollfd, 1> waits{{{inbox_.fd(), POLLIN, 0}}};
    while (poll_until(waits, deadline)) {
        inbox_.read();
        if (inbox_.stops() > stops) throw interrupted();
    }
}

}  // namespace pgpubsub::inline v0
