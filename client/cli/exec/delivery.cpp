// Guarantees that a stop is possible, whatever the reader of stdout and the command do. Also guarantees that a lack of
// resources in this process is not charged to a notification: it goes back untried, and the consumer ends.

#include "exec/delivery.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "exec/exec_command.hpp"
#include "output/exit_status.hpp"
#include "output/json_line.hpp"
#include "output/report.hpp"

namespace pgpubsub::cli {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds for_the_reader{5};  // from the first request to stop
constexpr milliseconds look_every{100};            // for a request to stop
constexpr std::chrono::seconds keep_trying{5};     // to start a command

}  // namespace

delivery::delivery(std::optional<std::string> command) : command_(std::move(command)) {
    if (command_)
        guard_.emplace();
    else
        out_.emplace(STDOUT_FILENO);
}

void delivery::deliver(const notification& n, const consumer& running) {
    command_ ? run(n, running) : print(n, running);
}

void delivery::print(const notification& n, const consumer& running) {
    const std::string line = json_line(n) + '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
        const auto written = out_->write_some(rest);
        if (written < 0) {
            reader_is_gone_ = errno == EPIPE;
            throw stop_consuming("could not write to stdout: " + std::string(std::strerror(errno)));
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
        if (written > 0)
            continue;
        out_->wait(look_every);
        const int stops = running.stop_requests();
        if (stops > 0 && !give_up_at_)
            give_up_at_ = clock::now() + for_the_reader;
        if (stops > 1 || (give_up_at_ && clock::now() >= *give_up_at_))
            throw stop_consuming("stopping although stdout is not read; what was not committed goes back");
    }
}

void delivery::run(const notification& n, const consumer& running) {
    bool ended_by_us = false;
    const auto should_end = [&] { return ended_by_us = running.stop_requests() > 1; };
    const std::string line = json_line(n);
    const auto begun = clock::now();
    const auto outcome = [&] {
        for (milliseconds pause = look_every;; pause *= 2) {
            try {
                return run_command(*command_, n, line, *guard_, should_end);
            } catch (const std::system_error& e) {
                is_lacking_ = is_passing(e.code());
                if (!is_lacking_ || clock::now() - begun >= keep_trying)
                    throw stop_consuming(e.what());
                if (pause == look_every)
                    report(std::string("warning: ") + e.what() + "; trying again");
                for (const auto until = clock::now() + pause; clock::now() < until;
                     std::this_thread::sleep_for(look_every))
                    if (running.stop_requests() > 0)
                        throw stop_consuming(e.what());
                is_lacking_ = false;
            }
        }
    }();
    if (outcome.wait_status == 0)
        return;
    if (ended_by_us)
        throw stop_consuming("the command was ended by the second request to stop");
    if (is_not_run(outcome.wait_status))
        throw stop_consuming("the command could not be run: " + failure_text(outcome));
    if (is_rejection(outcome.wait_status))
        throw rejected(failure_text(outcome));
    throw std::runtime_error(failure_text(outcome));
}

}  // namespace pgpubsub::cli
