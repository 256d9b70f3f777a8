// The public class of a consumer: checks the options, creates the parts, and destroys them again.
//
// Guarantees that one run() runs at a time, that nothing is registered meanwhile, and that a consumer which is
// destroyed while it runs ends first.
//
// Steps of run(): take over the signals; connect both connections in the caller's thread (so that a problem with them
// is an error of this call); hand the listening connection to its thread; work until the end.

#include <pgpubsub/consumer.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/inbox.hpp"
#include "base/logger.hpp"
#include "base/quoting.hpp"
#include "base/sqlstate.hpp"
#include "consumer/listener.hpp"
#include "consumer/reconnect.hpp"
#include "consumer/signals.hpp"
#include "consumer/consumer_loop.hpp"

namespace pgpubsub::inline v0 {

namespace {

[[noreturn]] void refuse(const std::string& message, std::string hint = {}) {
    throw error(message, {.sqlstate = std::string(sqlstate::invalid_parameter), .hint = std::move(hint)});
}

[[noreturn]] void misuse(const std::string& message, std::string hint) {
    throw error(message, {.sqlstate = std::string(sqlstate::wrong_moment), .hint = std::move(hint)});
}

void check_pair(const char* minimum_name, milliseconds minimum, const char* maximum_name, milliseconds maximum) {
    if (minimum.count() <= 0)
        refuse(fmt::format("{} must be longer than zero", minimum_name));
    if (minimum > maximum)
        refuse(fmt::format("{} ({} ms) is longer than {} ({} ms)", minimum_name, minimum.count(), maximum_name,
                           maximum.count()));
}

void check_name(const char* what, std::string_view name) {
    if (const char* problem = name_problem(name))
        refuse(fmt::format("the name of a {} {}", what, problem));
}

void check(const consumer_options& o) {
    if (o.batch < 1 || o.batch > 1000)
        refuse(fmt::format("batch is {}, and must be from 1 to 1000", o.batch));
    if (o.lease && *o.lease < std::chrono::seconds(1))
        refuse(fmt::format("lease is {} ms, and must be at least 1000 ms", o.lease->count()));
    if (o.poll_interval.count() <= 0)
        refuse("poll_interval must be longer than zero");
    if (o.give_up_after && o.give_up_after->count() < 0)
        refuse("give_up_after can't be negative");
    if (o.server_silence.count() <= 0)
        refuse("server_silence must be longer than zero");
    check_pair("reconnect_delay_min", o.reconnect_delay_min, "reconnect_delay_max", o.reconnect_delay_max);
}

}  // namespace

class consumer::impl {
public:
    explicit impl(consumer_options settings) : options(std::move(settings)), log(options.log) {
        check(options);
        target = parse_dsn(options.dsn, options.application_name);
    }

    void add(std::string channel, handler_options which, std::variant<transactional_handler, leased_handler> handler) {
        const std::scoped_lock lock(turn_);
        refuse_while_running("on()", channel);
        check_name("channel", channel);
        check_name("subscription", which.subscription);
        channel_state c;
        c.label = fmt::format("channel \"{}\"", channel);
        if (which.subscription != "default")
            c.label += fmt::format(", subscription \"{}\"", which.subscription);
        if (std::visit([](const auto& f) { return !f; }, handler))
            refuse(fmt::format("the handler of {} is empty", c.label));
        for (const auto& other : channels)
            if (other.label == c.label)
                refuse(fmt::format("{} has a handler already", c.label));
        c.from = {.channel = std::move(channel),
                  .subscription = std::move(which.subscription),
                  .filter = std::move(which.filter)};
        c.handler = std::move(handler);
        channels.push_back(std::move(c));
    }

    void add(std::string channel, broadcast_handler handler, gap_handler missed) {
        const std::scoped_lock lock(turn_);
        refuse_while_running("on_broadcast()", channel);
        check_name("channel", channel);
        if (!handler)
            refuse(fmt::format("the broadcast handler of channel \"{}\" is empty", channel));
        for (const auto& other : broadcasts)
            if (other.name == channel)
                refuse(fmt::format("channel \"{}\" has a broadcast handler already", channel));
        broadcasts.push_back({.name = std::move(channel), .handler = std::move(handler), .missed = std::move(missed)});
    }

    void check_handlers() const {
        if (channels.empty() && broadcasts.empty())
            refuse("the consumer has no handler", "Register one with on(channel, handler).");
        if (options.lease && !any_leased())
            refuse("lease is set, but no handler is leased: on() was given transactional handlers only",
                   "Leave lease unset, or register a handler without the transaction parameter.");
        if (options.drain && !broadcasts.empty())
            refuse(
                fmt::format("drain is set, but on_broadcast() was called for channel \"{}\"", broadcasts.front().name),
                "Broadcasts are not stored, so there is nothing to drain.");
        if (!options.listen && !broadcasts.empty())
            refuse(fmt::format("listen is false, but on_broadcast() was called for channel \"{}\"",
                               broadcasts.front().name),
                   "Broadcasts come by NOTIFY, so a connection is needed that can LISTEN.");
    }

    bool any_leased() const {
        return std::any_of(channels.begin(), channels.end(),
                           [](const channel_state& c) { return std::holds_alternative<leased_handler>(c.handler); });
    }

    // Returns which handlers are notified for each channel; marks the channels that have handlers of both kinds.
    recipients_by_channel distribute() {
        recipients_by_channel told;
        for (std::size_t i = 0; i < channels.size(); ++i)
            told[channels[i].from.channel].queues.push_back(i);
        for (std::size_t i = 0; i < broadcasts.size(); ++i)
            told[broadcasts[i].name].broadcast = i;
        for (auto& c : channels)
            c.may_be_broadcast = told[c.from.channel].broadcast.has_value();
        for (auto& b : broadcasts)
            b.may_be_queue = !told[b.name].queues.empty();
        return told;
    }

    void run() {
        const one_at_a_time alone(*this);  // first, so that everything else is destroyed when it ends
        struct tell_the_rest {
            logger& log;
            ~tell_the_rest() { log.tell_repetitions(true); }
        } at_last{log};
        check_handlers();

        struct forget_stops {
            inbox& in;
            ~forget_stops() {
                in.read();
                in.forget_stops();
            }
        } at_end{in};
        std::optional<stop_on_signals> signals;
        if (options.stop_on_signals)
            signals.emplace(in);

        shared_state shared(channels.size());
        auto told = distribute();
        consumer_loop work(options, target, channels, broadcasts, log, shared, in);
        struct remember_failures {
            const consumer_loop& from;
            int& to;
            ~remember_failures() { to = from.failures; }
        } remember{work, failures};
        const bool two_connections = options.listen || any_leased();
        const char* purpose = options.listen ? "the listening connection" : "the connection that extends leases";
        listener listen(options, target, std::move(told), log, shared, in);
        try {
            if (in.read(), in.stops() > 0)
                return;
            work.connect();
            if (two_connections)
                reconnector(options, log, in, purpose).until_connected([&] { listen.open(in); });
        } catch (const interrupted&) {
            return;
        }
        if (two_connections) {
            work.patience().wakes(listen.patience());
            listen.patience().wakes(work.patience());
            listen.start();
        }
        if (!options.listen)
            log.info("waiting without LISTEN");
        work.work();
        log.info("stopped");
    }

    // Implements the destructor of a consumer.
    static void end(std::unique_ptr<impl> self) noexcept {
        if (!self)
            return;
        const pid_t process = self->runs_in_;
        if (process != 0 && process != ::getpid())
            return static_cast<void>(self.release());  // a child process, which lacks these threads
        std::unique_lock lock(self->turn_);
        if (self->runs_in_ == 0)
            return lock.unlock();
        self->in.post_stop();
        if (self->runner_ == std::this_thread::get_id()) {  // in a handler: run() cleans up when it ends
            self->orphaned_ = true;
            return static_cast<void>(self.release());
        }
        self->ended_.wait(lock, [&] { return self->runs_in_ == 0; });
    }

    consumer_options options;
    logger log;
    conninfo target;
    std::vector<channel_state> channels;
    std::vector<broadcast_state> broadcasts;
    inbox in;
    int failures = 0;

private:
    // While it exists, run() is running. A thread that waits for the end may destroy the impl as soon as it is
    // notified.
    class one_at_a_time {
    public:
        explicit one_at_a_time(impl& of) : of_(of) {
            const std::scoped_lock lock(of_.turn_);
            if (of_.runs_in_ != 0)
                misuse(of_.runner_ == std::this_thread::get_id()
                           ? "run() was called in a handler of the same consumer"
                           : "run() was called while the consumer runs in another thread",
                       "For more work at the same time, make more consumers.");
            of_.runner_ = std::this_thread::get_id();
            of_.runs_in_ = ::getpid();
        }
        ~one_at_a_time() {
            bool orphaned = false;
            {
                const std::scoped_lock lock(of_.turn_);
                of_.runs_in_ = 0;
                orphaned = of_.orphaned_;
                of_.ended_.notify_all();
            }
            if (orphaned)
                delete &of_;
        }
        one_at_a_time(const one_at_a_time&) = delete;
        one_at_a_time& operator=(const one_at_a_time&) = delete;

    private:
        impl& of_;
    };

    void refuse_while_running(const char* what, const std::string& channel) const {
        if (runs_in_ == 0)
            return;
        misuse(fmt::format("{} was called for channel \"{}\" while the consumer runs", what, channel),
               "Register all handlers before run().");
    }

    std::mutex turn_;  // guards the members below
    std::condition_variable ended_;
    std::atomic<pid_t> runs_in_ = 0;  // the process in which run() is running; 0: in none
    std::thread::id runner_;          // the thread in which it is running
    bool orphaned_ = false;           // the consumer was destroyed by a handler
};

namespace {

template <typename Impl>
Impl& owned(const std::unique_ptr<Impl>& impl) {
    if (!impl)
        misuse("the consumer was moved from", "Use the one that it was moved to.");
    return *impl;
}

}  // namespace

consumer::consumer(consumer_options settings) : impl_(std::make_unique<impl>(std::move(settings))) {}
consumer::~consumer() { impl::end(std::move(impl_)); }
consumer::consumer(consumer&&) noexcept = default;
consumer& consumer::operator=(consumer&& other) noexcept {
    if (this == &other)
        return *this;
    impl::end(std::exchange(impl_, std::move(other.impl_)));
    return *this;
}

consumer& consumer::on(std::string channel, transactional_handler handler) {
    return on(std::move(channel), handler_options(), std::move(handler));
}

consumer& consumer::on(std::string channel, leased_handler handler) {
    return on(std::move(channel), handler_options(), std::move(handler));
}

consumer& consumer::on(std::string channel, handler_options which, transactional_handler handler) {
    owned(impl_).add(std::move(channel), std::move(which), std::move(handler));
    return *this;
}

consumer& consumer::on(std::string channel, handler_options which, leased_handler handler) {
    owned(impl_).add(std::move(channel), std::move(which), std::move(handler));
    return *this;
}

consumer& consumer::on_broadcast(std::string channel, broadcast_handler handler) {
    return on_broadcast(std::move(channel), std::move(handler), nullptr);
}

consumer& consumer::on_broadcast(std::string channel, broadcast_handler handler, gap_handler missed) {
    owned(impl_).add(std::move(channel), std::move(handler), std::move(missed));
    return *this;
}

void consumer::run() { owned(impl_).run(); }
void consumer::stop() noexcept {
    if (impl_)
        impl_->in.post_stop();
}

int consumer::failures() const noexcept { return impl_ ? impl_->failures : 0; }

int consumer::stop_requests() const {
    auto& in = owned(impl_).in;
    in.read();
    return in.stops();
}

}  // namespace pgpubsub::inline v0
