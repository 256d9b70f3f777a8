// Guarantees that the signal handler only posts a stop to the inbox of each running consumer, that no inbox is
// destroyed while a handler (which may run in any thread) uses it, and that the process has its former handlers back
// when the last consumer has ended.

#include "consumer/signals.hpp"

#include <signal.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <thread>

#include <pgpubsub/error.hpp>

#include "base/inbox.hpp"

namespace pgpubsub::inline v0 {

namespace {

constexpr std::array handled{SIGINT, SIGTERM, SIGHUP};
constexpr std::int64_t counts_once_ns = 500'000'000;

std::array<std::atomic<inbox*>, 64> inboxes{};  // null: free
std::atomic<int> handlers_at_work{0};
static_assert(std::atomic<inbox*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);
std::mutex installing;
int installed = 0;
std::array<struct sigaction, handled.size()> former;

std::atomic<std::int64_t> last_counted{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

// Returns whether the previous signal was just now.
bool is_repetition() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t ns = now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
    std::int64_t last = last_counted.load();
    if (last != 0 && ns - last < counts_once_ns)
        return true;
    return !last_counted.compare_exchange_strong(last, ns);
}

extern "C" void pgpubsub_on_stop_signal(int) {
    if (is_repetition())
        return;
    ++handlers_at_work;
    for (const auto& slot : inboxes)
        if (inbox* in = slot.load())
            in->post_stop();
    --handlers_at_work;
}

// A program that uses SIGHUP for itself keeps its handler.
bool is_ours(std::size_t i) {
    return former[i].sa_handler != SIG_IGN && (handled[i] != SIGHUP || former[i].sa_handler == SIG_DFL);
}

void install() {
    last_counted = 0;
    struct sigaction action {};
    action.sa_handler = pgpubsub_on_stop_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < handled.size(); ++i) {
        sigaction(handled[i], nullptr, &former[i]);
        if (is_ours(i))
            sigaction(handled[i], &action, nullptr);
    }
}

void restore() {
    for (std::size_t i = 0; i < handled.size(); ++i)
        if (is_ours(i))
            sigaction(handled[i], &former[i], nullptr);
}

}  // namespace

stop_on_signals::stop_on_signals(inbox& in) {
    const std::scoped_lock lock(installing);
    for (std::size_t i = 0; i < inboxes.size() && slot_ < 0; ++i)
        if (inbox* expected = nullptr; inboxes[i].compare_exchange_strong(expected, &in))
            slot_ = static_cast<int>(i);
    if (slot_ < 0)
        throw error("more than 64 consumers run with stop_on_signals in one process",
                    {.sqlstate = "53400", .hint = "Set stop_on_signals to false and call stop()."});
    if (installed++ == 0)
        install();
}

stop_on_signals::~stop_on_signals() {
    const std::scoped_lock lock(installing);
    if (--installed == 0)
        restore();
    inboxes[static_cast<std::size_t>(slot_)] = nullptr;
    // A handler that has begun in another thread may still use the inbox. A handler that begins now no longer finds it.
    while (handlers_at_work > 0)
        std::this_thread::yield();
}

}  // namespace pgpubsub::inline v0
