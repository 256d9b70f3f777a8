// Guarantees that no failure is retried silently, that a failure which waiting can't mend is reported at once while the
// consumer starts, and that two things end the pauses: a stop, and the return of the other connection.

#include "consumer/reconnect.hpp"

#include <algorithm>
#include <array>

#include "base/inbox.hpp"
#include "base/logger.hpp"
#include "base/poll.hpp"
#include "base/random.hpp"
#include "base/sqlstate.hpp"
#include "pq/connection.hpp"

namespace pgpubsub::inline v0 {

namespace {

constexpr milliseconds longest_while_away = std::chrono::seconds(2);
constexpr auto warn_at_least_every = std::chrono::minutes(30);

}  // namespace

reconnector::reconnector(const consumer_options& options, logger& log, inbox& in, std::string_view purpose)
    : options_(options),
      log_(log),
      inbox_(in),
      purpose_(purpose),
      pauses_(options.reconnect_delay_min, options.reconnect_delay_max) {}

void reconnector::until_connected(const std::function<void()>& attempt) {
    const auto deadline = options_.give_up_after ? clock::now() + *options_.give_up_after : clock::time_point::max();
    bool paused = false;
    for (;;) {
        if (inbox_.stops() > 1)
            throw interrupted();  // nobody waits for the work that needs the connection
        try {
            hurried_ = false;
            attempt();
            connected_once_ = true;
            if (paused && other_ != nullptr)
                other_->hurry();
            if (lost_at_)
                log_.warning("{}: connected again after {:.1f} s", purpose_,
                             std::chrono::duration<double>(clock::now() - *lost_at_).count());
            lost_at_.reset();
            return;
        } catch (const error& e) {
            if (sqlstate::is_permanent(e.sqlstate()))
                throw;
            // A server that refuses us may have been changed for good, or may just be restoring its password file. So
            // the refusal is final while the consumer starts, and a matter of waiting once it has worked.
            if (!connected_once_ && (!e.retryable() || !options_.give_up_after))
                throw;
            if (clock::now() >= deadline)
                throw;
            if (inbox_.stops() > 0) {
                log_.warning("{}: {}; stopping without it", purpose_, e.what());
                throw interrupted();
            }
            pause(e.what(), longest_after(e), deadline);
            paused = true;
        }
    }
}

void reconnector::lost(std::string_view why) {
    if (!lost_at_)
        lost_at_ = clock::now();
    log_.warning("{}: {}; reconnecting", purpose_, why);
}

void reconnector::hurry() noexcept {
    hurried_ = true;
    inbox_.post_wake();
}

// Returns the longest pause after the failure. Attempts do no harm to a server that is away, and hardly any to a server
// that is starting. A server that has refused us for another reason (for example, because it is full) needs time.
milliseconds reconnector::longest_after(const error& e) const {
    if (!sqlstate::is_away(e.sqlstate()))
        return options_.reconnect_delay_max;
    return std::min(options_.reconnect_delay_max, std::max(options_.reconnect_delay_min, longest_while_away));
}

bool reconnector::is_worth_a_warning() {
    const auto now = clock::now();
    if (!worth_a_warning(pauses_.failures()) && now - last_warning_ < warn_at_least_every)
        return false;
    last_warning_ = now;
    return true;
}

void reconnector::pause(std::string_view failure, milliseconds longest, clock::time_point limit) {
    if (longest_)
        longest = std::min(longest, longest_());
    const auto delay = pauses_.next(random_unit(), longest);
    const auto deadline = std::min(clock::now() + delay, limit);
    log_.write(is_worth_a_warning() ? log_level::warning : log_level::info,
               fmt::format("{}: {}; next attempt in {:.1f} s", purpose_, failure,
                           std::chrono::duration<double>(deadline - clock::now()).count()));
    const int stops = inbox_.stops();
    std::array<pollfd, 1> waits{{{inbox_.fd(), POLLIN, 0}}};
    while (!hurried_.exchange(false) && poll_until(waits, deadline)) {
        inbox_.read();
        if (inbox_.stops() > stops)
            throw interrupted();
    }
}

}  // namespace pgpubsub::inline v0
