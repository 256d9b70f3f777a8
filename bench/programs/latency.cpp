// latency: how long it takes from a writer to a handler.
//
//   latency --source SYSTEM | --exec COMMAND   what consumes: one of sources.hpp, or a program that prints, for each
//   job, when it
//                                              was written and when it came (µs of the day's clock), and first of all
//                                              "ready"
//           --statement SQL | --redis          what a writer does: the statement, prepared, its $1 the value; or XADD
//           of the value
//           --value TEXT                       the value; % stands for the time at which it is written
//           --tick SQL                         a statement that another session executes every 50 ms
//           --rate R  --seconds S  --writers N (4)
//
// The writers share the rate, and each writes at its own times, fixed beforehand: when one comes late, because the
// statement before took long, what is written counts from the time when it should have been (no coordinated omission).
// With the rate 0 they write as fast as they can. All that is written is waited for, 30 s at most. The first half
// second warms up, and is left out. Prints, separated by tabs: p50, p99 and the highest in ms, how many were handled in
// a second from the first write to the last handler, how many were never handled, and p50, p99 and the highest in ms
// until the writer's statement had returned.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "postgres.hpp"
#include "sources.hpp"
#ifdef WITH_REDIS
#include "redis.hpp"
#endif

namespace {

long long now_us() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

struct options {
    std::map<std::string, std::string> values;
    options(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            const std::string name = argv[i];
            values[name] = name == "--redis" || i + 1 == argc ? "" : argv[++i];
        }
    }
    bool has(const char* name) const { return values.count(name) > 0; }
    std::string text(const char* name, const char* fallback = "") const {
        const auto found = values.find(name);
        return found == values.end() ? fallback : found->second;
    }
    double number(const char* name, const char* fallback) const { return std::atof(text(name, fallback).c_str()); }
};

// When what was written came to the handler, or its statement returned to the writer; told by several threads and read
// by main().
class arrivals {
public:
    void add(long long written, long long came) {
        const std::lock_guard lock(mutex_);
        if (written >= measured_from_)
            latencies_.push_back(came - written);
        last_ = std::max<long long>(last_, came);
        ++count_;
    }
    std::size_t count() const { return count_; }
    void measure_from(long long time) { measured_from_ = time; }
    long long last() const { return last_; }
    // p50, p99 and the highest, in ms.
    std::array<double, 3> percentiles() {
        const std::lock_guard lock(mutex_);
        if (latencies_.empty())
            bench::die("nothing arrived");
        std::sort(latencies_.begin(), latencies_.end());
        const auto at = [this](double p) {
            return static_cast<double>(
                       latencies_[static_cast<std::size_t>(p * static_cast<double>(latencies_.size() - 1))]) /
                   1e3;
        };
        return {at(0.5), at(0.99), at(1)};
    }

private:
    std::mutex mutex_;
    std::vector<long long> latencies_;
    std::atomic<std::size_t> count_ = 0;
    std::atomic<long long> measured_from_ = 0;
    std::atomic<long long> last_ = 0;
};

// The number behind "sent": in a payload.
long long sent_in(std::string_view payload) {
    constexpr std::string_view name = "\"sent\":";
    const std::size_t at = payload.find(name);
    if (at == std::string_view::npos)
        bench::die("a payload without the time at which it was sent: " + std::string(payload));
    return std::atoll(std::string(payload.substr(at + name.size(), 20)).c_str());
}

void consume(bench::source& source, arrivals& arrivals, const std::atomic<bool>& stopping) {
    const bench::handler handle = [&](std::string_view payload) { arrivals.add(sent_in(payload), now_us()); };
    while (!stopping) {
        source.wait(200);
        while (source.take(handle) > 0) {}
    }
}

// A consumer in a program of its own. It ends when its input is closed.
class program {
public:
    explicit program(const std::string& command) {
        int in[2];
        int out[2];
        if (pipe(in) != 0 || pipe(out) != 0)
            bench::die("no pipe");
        if (fork() == 0) {
            dup2(in[0], 0);
            dup2(out[1], 1);
            for (const int fd : {in[0], in[1], out[0], out[1]})
                close(fd);
            execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), static_cast<char*>(nullptr));
            _exit(127);
        }
        close(in[0]);
        close(out[1]);
        input_ = in[1];
        output_ = fdopen(out[0], "r");
        char line[64];
        if (std::fgets(line, sizeof line, output_) == nullptr || std::string(line) != "ready\n")
            bench::die("the consumer does not start: " + command);
    }
    void consume(arrivals& arrivals) {
        long long sent;
        long long came;
        while (std::fscanf(output_, "%lld %lld", &sent, &came) == 2)
            arrivals.add(sent, came);
    }
    void stop() { close(input_); }

private:
    int input_;
    FILE* output_;
};

// What one writer executes for each value.
class writer {
public:
    explicit writer(const options& o) {
#ifdef WITH_REDIS
        if (o.has("--redis")) {
            redis_ = std::make_unique<bench::redis_connection>();
            return;
        }
#endif
        connection_ = std::make_unique<bench::connection>();
        connection_->prepare("write", o.text("--statement"));
    }
    void write(const std::string& value) {
#ifdef WITH_REDIS
        if (redis_) {
            redis_->run({"XADD", "bench", "*", "payload", value});
            return;
        }
#endif
        connection_->run_prepared("write", {value.c_str()});
    }

private:
    std::unique_ptr<bench::connection> connection_;
#ifdef WITH_REDIS
    std::unique_ptr<bench::redis_connection> redis_;
#endif
};

// Writes one every `interval` µs beginning at `begin`, or as fast as it can where that is 0. Returns how many.
std::size_t write_on_schedule(writer& w, arrivals& returned, const std::string& value, long long begin, long long end,
                              double interval) {
    const std::size_t place = value.find('%');
    std::size_t count = 0;
    for (;; ++count) {
        long long due = now_us();
        if (interval > 0) {
            due = begin + static_cast<long long>(static_cast<double>(count) * interval);
            if (due < end)
                std::this_thread::sleep_for(std::chrono::microseconds(due - now_us()));
        }
        if (due >= end)
            return count;
        w.write(std::string(value).replace(place, 1, std::to_string(due)));
        returned.add(due, now_us());
    }
}

}  // namespace

int main(int argc, char** argv) {
    const options o(argc, argv);
    const int writers = static_cast<int>(o.number("--writers", "4"));
    const double rate = o.number("--rate", "100");
    const double interval = rate > 0 ? 1e6 * writers / rate : 0;
    const std::string value = o.text("--value");
    if (value.find('%') == std::string::npos)
        bench::die("--value has no %");
    arrivals handled;
    arrivals returned;
    std::atomic<bool> stopping = false;

    std::unique_ptr<bench::source> source;
    std::unique_ptr<program> other;
    std::thread consumer;
    if (o.has("--exec")) {
        other = std::make_unique<program>(o.text("--exec"));
        consumer = std::thread([&] { other->consume(handled); });
    } else {
        source = bench::make_source(o.text("--source"), 100, 1);
        source->wait(0);  // it listens from now on
        consumer = std::thread([&] { consume(*source, handled, stopping); });
    }
    std::thread ticker([&] {
        if (!o.has("--tick"))
            return;
        bench::connection connection;
        connection.prepare("tick", o.text("--tick"));
        for (auto next = std::chrono::steady_clock::now(); !stopping;) {
            connection.run_prepared("tick");
            std::this_thread::sleep_until(next += std::chrono::milliseconds(50));
        }
    });

    std::vector<std::unique_ptr<writer>> sessions;
    for (int i = 0; i < writers; ++i)
        sessions.push_back(std::make_unique<writer>(o));
    const long long begin = now_us() + 50'000;
    const long long end = begin + 500'000 + static_cast<long long>(1e6 * o.number("--seconds", "5"));
    handled.measure_from(begin + 500'000);
    returned.measure_from(begin + 500'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::atomic<std::size_t> written = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < writers; ++i)
        threads.emplace_back([&, i] {
            written += write_on_schedule(*sessions[i], returned, value,
                                         begin + static_cast<long long>(interval * i / writers), end, interval);
        });
    for (std::thread& t : threads)
        t.join();
    const long long patience = now_us() + 30'000'000;
    while (handled.count() < written && now_us() < patience)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stopping = true;
    if (other)
        other->stop();
    consumer.join();
    ticker.join();

    const auto [p50, p99, highest] = handled.percentiles();
    const auto [write_p50, write_p99, write_highest] = returned.percentiles();
    std::printf("%.3f\t%.3f\t%.3f\t%.0f\t%zu\t%.3f\t%.3f\t%.3f\n", p50, p99, highest,
                static_cast<double>(handled.count()) / (static_cast<double>(handled.last() - begin) / 1e6),
                written - std::min<std::size_t>(written, handled.count()), write_p50, write_p99, write_highest);
}
