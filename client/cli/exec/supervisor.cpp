// Guarantees that no worker process outlives this process for longer than it needs to finish the batch in hand.
//
// - SIGTERM, SIGINT and SIGHUP are passed on to the workers and waited for. After a limit, or at the second request,
//   the workers are signalled again, and end the work in hand. Workers that still don't end are killed.
// - If this process is killed, the kernel sends each worker a SIGTERM (PR_SET_PDEATHSIG).
// - A worker that dies is replaced, with growing pauses if it dies young. A worker that reports that going on makes no
//   sense ends all.
//
// Steps: block the signals; fork; then wait for signals synchronously, with a time limit if something must be done at a
// time (start a replacement, kill the workers that don't end).

#include "exec/supervisor.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "output/exit_status.hpp"
#include "output/report.hpp"

namespace pgpubsub::cli {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds first_pause{100};
constexpr std::chrono::milliseconds longest_pause{10'000};
constexpr std::chrono::seconds grown_up{10};
constexpr std::chrono::milliseconds counts_once{
    500};                                 // requests to stop within this time count once, here as in a worker
constexpr std::chrono::seconds grace{5};  // between the second request and SIGKILL

struct slot {
    int number = 0;
    pid_t pid = 0;  // 0: none is running
    clock::time_point started{};
    std::optional<clock::time_point> start_at;  // when to start one
    bool replacement = false;
    std::chrono::milliseconds pause = first_pause;
};

class supervisor {
public:
    supervisor(const supervision& settings, const std::function<int(int, bool)>& work)
        : settings_(settings), work_(work) {
        sigemptyset(&signals_);
        for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD})
            sigaddset(&signals_, signal);
        sigprocmask(SIG_BLOCK, &signals_, &former_);
        struct sigaction action {};  // an inherited "ignore" would keep SIGCHLD from coming
        action.sa_handler = SIG_DFL;
        sigaction(SIGCHLD, &action, nullptr);
        for (int i = 1; i <= settings.processes; ++i) {
            slot s;
            s.number = i;
            s.start_at = clock::now();
            slots_.push_back(s);
        }
    }

    int run() {
        for (;;) {
            start_what_is_due();
            if (hurry_at_ && clock::now() >= *hurry_at_)
                hurry("did not end in time");
            if (kill_at_ && clock::now() >= *kill_at_)
                kill_all();
            if (tell_again_at_ && clock::now() >= *tell_again_at_) {
                tell_again_at_.reset();
                signal_all(SIGTERM);
            }
            if (running() == 0 && (stopping_ || !any_to_start()))
                return status_;
            const int signal = wait_for_signal();
            reap();  // first: of two waiting signals, SIGTERM is delivered before an earlier SIGCHLD
            if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP)
                stop_requested();
        }
    }

private:
    int wait_for_signal() {
        std::optional<clock::time_point> until;
        const auto also_at = [&](const std::optional<clock::time_point>& time) {
            if (time && (!until || *time < *until))
                until = time;
        };
        for (const auto& time : {hurry_at_, tell_again_at_, kill_at_})
            also_at(time);
        for (const auto& s : slots_)
            if (!stopping_)
                also_at(s.start_at);
        if (!until) {
            const int signal = sigwaitinfo(&signals_, nullptr);
            return signal;
        }
        const auto left = std::max(std::chrono::nanoseconds(1), std::chrono::nanoseconds(*until - clock::now()));
        timespec limit{};
        limit.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
        limit.tv_nsec = (left % std::chrono::seconds(1)).count();
        return sigtimedwait(&signals_, nullptr, &limit);
    }

    void start_what_is_due() {
        if (stopping_)
            return;
        for (auto& s : slots_)
            if (s.start_at && clock::now() >= *s.start_at)
                start(s);
    }

    void start(slot& s) {
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid < 0) {
            report("could not start a worker process: " + std::string(std::strerror(errno)));
            s.start_at = clock::now() + longest_pause;
            return;
        }
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (::getppid() != parent)
                ::_exit(success);  // the parent died before the line above
            // ^C reaches the whole foreground group. The workers wait for the parent's signal instead, or ^C would
            // count twice.
            struct sigaction ignore {};
            ignore.sa_handler = SIG_IGN;
            sigaction(SIGINT, &ignore, nullptr);
            sigaction(SIGHUP, &ignore, nullptr);
            sigprocmask(SIG_SETMASK, &former_, nullptr);
            speak_as_worker(s.number);
            ::_exit(work_(s.number, s.replacement));
        }
        s.pid = pid;
        s.started = clock::now();
        s.start_at.reset();
        if (settings_.verbose)
            report("worker " + std::to_string(s.number) + " started (pid " + std::to_string(pid) + ")");
    }

    void reap() {
        int status = 0;
        for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const slot& s) { return s.pid == pid; });
            if (found != slots_.end())
                ended(*found, status);
        }
    }

    void ended(slot& s, int wait_status) {
        const std::string who = "worker " + std::to_string(s.number) + " (pid " + std::to_string(s.pid) + ") ";
        s.pid = 0;
        if (stopping_)
            return ended_when_told(who, wait_status);
        switch (judge_worker(wait_status, settings_.drain)) {
            case verdict::finished:
                if (WEXITSTATUS(wait_status) != success)
                    status_ = failure;
                return;
            case verdict::give_up: status_ = WEXITSTATUS(wait_status); return stop_all();
            case verdict::replace: break;
        }
        s.pause = clock::now() - s.started >= grown_up ? first_pause : s.pause;
        report(who + describe_end(wait_status) + "; replacing it in " + std::to_string(s.pause.count()) + " ms");
        s.start_at = clock::now() + s.pause;
        s.pause = std::min(s.pause * 2, longest_pause);
        s.replacement = true;
    }

    // A worker that dies of our SIGTERM had not begun to consume: a worker that consumes catches the signal. Any other
    // failure is reported: by the worker itself, if it exits; here, if it was killed, unless kill_all() did that and
    // has reported it.
    void ended_when_told(const std::string& who, int wait_status) {
        if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == success)
            return;
        if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM)
            return;
        status_ = std::max<int>(status_, failure);
        if (WIFSIGNALED(wait_status) && !killed_)
            report(who + describe_end(wait_status) + " while it was stopping");
    }

    void stop_requested() {
        if (kill_at_) {
            if (clock::now() - asked_ >= counts_once)
                kill_all();
        } else if (!stopping_) {
            stop_all();
        } else if (clock::now() - asked_ >= counts_once) {
            hurry("are asked twice to stop");
        }
    }

    void stop_all() {
        stopping_ = true;
        asked_ = clock::now();
        hurry_at_ = asked_ + settings_.stop_timeout;
        signal_all(SIGTERM);
    }

    void hurry(const char* why) {
        asked_ = clock::now();
        hurry_at_.reset();
        kill_at_ = asked_ + grace;
        if (running() > 0)
            report(std::to_string(running()) + " worker(s) " + why + ": ending what they have in hand");
        signal_all(SIGTERM);
        tell_again_at_ =
            asked_ + counts_once;  // in case the first request was too recent for this second one to count as another
    }

    void kill_all() {
        asked_ = clock::now();
        kill_at_ = asked_ + grace;
        if (running() > 0)
            report("killing " + std::to_string(running()) + " worker(s)");
        killed_ = true;
        signal_all(SIGKILL);
    }

    void signal_all(int signal) {
        for (const auto& s : slots_)
            if (s.pid != 0)
                ::kill(s.pid, signal);
    }

    int running() const {
        return static_cast<int>(std::count_if(slots_.begin(), slots_.end(), [](const slot& s) { return s.pid != 0; }));
    }
    bool any_to_start() const {
        return std::any_of(slots_.begin(), slots_.end(), [](const slot& s) { return s.start_at.has_value(); });
    }

    const supervision& settings_;
    const std::function<int(int, bool)>& work_;
    sigset_t signals_;
    sigset_t former_;
    std::vector<slot> slots_;
    bool stopping_ = false;
    bool killed_ = false;
    clock::time_point asked_{};                  // when we were last asked to stop
    std::optional<clock::time_point> hurry_at_;  // when the workers are signalled a second time
    std::optional<clock::time_point> tell_again_at_;
    std::optional<clock::time_point> kill_at_;
    int status_ = success;
};

}  // namespace

int supervise(const supervision& settings, const std::function<int(int number, bool replacement)>& work) {
    return supervisor(settings, work).run();
}

}  // namespace pgpubsub::cli
