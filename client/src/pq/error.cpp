// The exception types. Copying an error can't throw: the facts are shared.

#include <pgpubsub/error.hpp>
#include <pgpubsub/handler.hpp>
#include <pgpubsub/version.hpp>

#include <algorithm>

#include "base/sqlstate.hpp"

namespace pgpubsub::inline v0 {

error::error(const std::string& message, error_facts facts)
    : std::runtime_error(message), facts_(std::make_shared<const error_facts>(std::move(facts))) {}
error::error(const error&) noexcept = default;
error& error::operator=(const error&) noexcept = default;
error::~error() = default;

const std::string& error::sqlstate() const noexcept { return facts_->sqlstate; }
const std::string& error::hint() const noexcept { return facts_->hint; }
bool error::connection_lost() const noexcept { return facts_->connection_lost; }
bool error::in_doubt() const noexcept { return facts_->in_doubt; }
bool error::retryable() const noexcept { return facts_->connection_lost || sqlstate::is_retryable(facts_->sqlstate); }

namespace {
constexpr std::chrono::milliseconds longest_delay =
    std::chrono::hours(24 * 365 * 100);  // more is no interval for the server
}

rejected::rejected(const std::string& reason) : std::runtime_error(reason) {}
rejected::~rejected() = default;

retry_after::retry_after(std::chrono::milliseconds delay, const std::string& reason)
    : std::runtime_error(reason), delay_(std::clamp(delay, std::chrono::milliseconds(0), longest_delay)) {}
retry_after::~retry_after() = default;
std::chrono::milliseconds retry_after::delay() const noexcept { return delay_; }

stop_consuming::stop_consuming(const std::string& reason) : std::runtime_error(reason) {}
stop_consuming::~stop_consuming() = default;

pause_consuming::pause_consuming(const std::string& reason) : std::runtime_error(reason) {}
pause_consuming::~pause_consuming() = default;

const char* version() noexcept { return PGPUBSUB_VERSION; }

}  // namespace pgpubsub::inline v0
