// Guarantees that a command can't harm the consumer. A command may ignore its stdin, close it, fill stderr, or leave a
// child behind that holds a pipe open and goes on writing: the consumer waits no longer than the command itself lives.
//
// The command has a process group of its own, for two reasons. ^C at the terminal stops the consumer, which lets the
// command in hand finish. And if the consumer dies, the group is killed (guardian.hpp), because then nobody would ack
// its work, and another consumer will repeat it.
//
// Steps: make pipes for stdin and stderr; fork; in the child make only calls that are safe between fork and exec in a
// program with threads; learn from the child whether the exec succeeded; then feed stdin, read stderr and wait for the
// end, all in one poll(). A turn of that loop reads at most as much as a pipe holds, and never waits for the reader of
// our own stderr.

#include "exec/exec_command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "exec/plain_command.hpp"
#include "output/exit_status.hpp"
#include "output/report.hpp"

namespace pgpubsub::cli {

namespace {

constexpr const char* shell = "/bin/sh";
constexpr std::size_t tail_limit = 8 * 1024;
constexpr std::size_t pipe_size = 64 * 1024;
constexpr std::chrono::seconds grace{
    1};  // between SIGTERM and SIGKILL, and then until one that even this does not end is left alone

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

class descriptor {
public:
    explicit descriptor(int fd = -1) : fd_(fd) {}
    ~descriptor() { close(); }
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&&) = delete;
    int get() const { return fd_; }
    void close() {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};

struct pipe_ends {
    descriptor read, write;
};

pipe_ends make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        fail("could not make a pipe");
    return {descriptor(ends[0]), descriptor(ends[1])};
}

void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

// What to run: a program, or the shell.
struct executable {
    explicit executable(const std::string& command) : by_shell({"sh", "-c", command}) {
        if (auto plain = plain_words(command))
            if (auto found = find_program(plain->front())) {
                program = *std::move(found);
                words = *std::move(plain);
            }
    }
    std::string program;  // empty: the shell runs it
    std::vector<std::string> words;
    std::vector<std::string> by_shell;
    const char* name() const { return program.empty() ? shell : program.c_str(); }
};

std::vector<const char*> pointers(const std::vector<std::string>& texts, const char* last = nullptr) {
    std::vector<const char*> result;
    for (const auto& text : texts)
        result.push_back(text.c_str());
    if (last != nullptr)
        result.push_back(last);
    result.push_back(nullptr);
    return result;
}

// The environment for the command: ours, with PGPUBSUB_* about this notification. There are two versions, because the
// key has any length, and Linux limits each variable and all of them together: the second version leaves the key out.
class command_environment {
public:
    explicit command_environment(const notification& n) {
        for (char** variable = environ; *variable != nullptr; ++variable) {
            const std::string_view text(*variable);
            constexpr std::array ours{"PGPUBSUB_ID",  "PGPUBSUB_CHANNEL",     "PGPUBSUB_ATTEMPTS",
                                      "PGPUBSUB_KEY", "PGPUBSUB_KEY_OMITTED", "PGPUBSUB_IDEMPOTENCY_KEY"};
            if (std::find(ours.begin(), ours.end(), text.substr(0, text.find('='))) == ours.end())
                variables_.emplace_back(text);
        }
        variables_.push_back("PGPUBSUB_ID=" + std::to_string(n.id));
        variables_.push_back("PGPUBSUB_CHANNEL=" + n.channel);
        variables_.push_back("PGPUBSUB_ATTEMPTS=" + std::to_string(n.attempts));
        variables_.push_back("PGPUBSUB_IDEMPOTENCY_KEY=" + n.idempotency_key);
        if (n.key)
            key_ = "PGPUBSUB_KEY=" + *n.key;
        whole_ = pointers(variables_, n.key ? key_.c_str() : nullptr);
        if (n.key)
            without_key_ = pointers(variables_, "PGPUBSUB_KEY_OMITTED=1");
    }
    command_environment(const command_environment&) = delete;
    command_environment& operator=(const command_environment&) = delete;

    // Runs the program. Returns only if that is impossible, with the reason in errno. Safe between fork and exec.
    void run_in_it(const char* program, const std::vector<const char*>& arguments) const {
        const auto run = [&](const std::vector<const char*>& environment) {
            ::execve(program, const_cast<char* const*>(arguments.data()), const_cast<char* const*>(environment.data()));
        };
        run(whole_);
        if (errno == E2BIG && !without_key_.empty())
            run(without_key_);
    }

private:
    std::vector<std::string> variables_;
    std::string key_;
    std::vector<const char*> whole_, without_key_;
};

// Everything that the child needs, prepared before the fork.
struct preparation {
    preparation(const executable& run, const notification& n)
        : program(run.program.empty() ? nullptr : run.program.c_str()),
          words(pointers(run.words)),
          by_shell(pointers(run.by_shell)),
          environment(n) {}
    const char* program;
    std::vector<const char*> words, by_shell;
    command_environment environment;
};

// `problem`: a pipe that exec closes. If exec fails, the reason is written into it.
[[noreturn]] void become_command(pid_t parent, const guardian& guard, int in, int err, int problem,
                                 const preparation& ready) {
    ::setpgid(0, 0);
    guard.guards(::getpid());
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(127);  // the parent died before the line above
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD})
        ::sigaction(signal, &standard, nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::dup2(in, STDIN_FILENO) >= 0 && ::dup2(err, STDERR_FILENO) >= 0) {
        if (ready.program != nullptr)
            ready.environment.run_in_it(ready.program, ready.words);
        // The shell runs a script whose first line names no interpreter.
        if (ready.program == nullptr || errno == ENOEXEC)
            ready.environment.run_in_it(shell, ready.by_shell);
    }
    const int reason = errno;
    [[maybe_unused]] const auto told = ::write(problem, &reason, sizeof reason);
    ::_exit(127);
}

// Returns the errno that says why the child does not run the command, or 0. Does not wait: the pipe is readable.
int read_problem(int pipe) {
    int problem = 0;
    ssize_t count = 0;
    while ((count = ::read(pipe, &problem, sizeof problem)) < 0 && errno == EINTR) {}
    return count == sizeof problem ? problem : 0;
}

// Reads the present data, at most as much as a pipe holds, because a writer may never stop. Passes it on to our stderr
// and remembers its end. Returns false at the end of the stream.
bool read_stderr(int fd, std::string& tail) {
    static thread_local std::array<char, pipe_size> buffer;
    ssize_t count = 0;
    while ((count = ::read(fd, buffer.data(), buffer.size())) < 0 && errno == EINTR) {}
    if (count < 0)
        return errno == EAGAIN;
    const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
    relay(text);
    tail.append(text.substr(text.size() > tail_limit ? text.size() - tail_limit : 0));
    if (tail.size() > tail_limit)
        tail.erase(0, tail.size() - tail_limit);
    return count > 0;
}

// Writes as much as the pipe takes. Returns false if nothing is left to write, or nobody reads.
bool write_stdin(int fd, std::string_view& rest) {
    while (!rest.empty()) {
        const auto count = ::write(fd, rest.data(), rest.size());  // SIGPIPE is ignored in this process
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN;
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    return false;
}

// Ends the rest of the group after a SIGTERM to the group whose leader has ended: the other processes also get their
// time.
void end_rest_of_group(pid_t group, std::chrono::steady_clock::time_point kill_at) {
    while (::kill(-group, 0) == 0 && std::chrono::steady_clock::now() < kill_at)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ::kill(-group, SIGKILL);
}

// Returns how many bytes a byte may take when it is stored: a byte that is not UTF-8 is replaced by three.
std::size_t stored_size(char c) { return c == '\0' || static_cast<unsigned char>(c) >= 0x80 ? 3 : 1; }

// Returns the end of a text that fits, cut between characters.
std::string_view fitting_end(std::string_view text, std::size_t limit) {
    if (text.size() * 3 <= limit)
        return text;
    std::size_t begin = text.size(), size = 0;
    while (begin > 0 && (size += stored_size(text[begin - 1])) <= limit)
        --begin;
    while (begin > 0 && begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
        ++begin;
    return text.substr(begin);
}

}  // namespace

command_outcome run_command(const std::string& command, const notification& n, const std::string& line,
                            const guardian& guard, const std::function<bool()>& should_end) {
    auto input = make_pipe();
    auto errors = make_pipe();
    auto problems = make_pipe();
    const executable run(command);
    const preparation ready(run, n);

    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0)
        fail("could not start a process for the command");
    if (child == 0)
        become_command(parent, guard, input.read.get(), errors.write.get(), problems.write.get(), ready);
    ::setpgid(child, child);  // in both processes, in whatever order they run
    problems.write.close();
    input.read.close();
    errors.write.close();
    make_nonblocking(input.write.get());
    make_nonblocking(errors.read.get());
    descriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));

    const std::string text = line + '\n';
    std::string_view rest = text;
    command_outcome outcome;
    int problem = 0;
    std::optional<std::chrono::steady_clock::time_point> kill_at;
    for (;;) {
        const bool relaying = can_relay();
        std::array<pollfd, 4> waits{{{ended.get(), POLLIN, 0},
                                     {relaying ? errors.read.get() : -1, POLLIN, 0},
                                     {input.write.get(), POLLOUT, 0},
                                     {problems.read.get(), POLLIN, 0}}};
        // Without a pidfd (an old kernel, no free descriptor), the end is noticed by polling.
        ::poll(waits.data(), waits.size(), ended.get() < 0 || !relaying ? 20 : 250);
        if (waits[3].revents != 0) {
            problem = read_problem(problems.read.get());
            problems.read.close();
        }
        if (waits[2].revents != 0 && !write_stdin(input.write.get(), rest))
            input.write.close();
        if (waits[1].revents != 0 && !read_stderr(errors.read.get(), outcome.stderr_tail))
            errors.read.close();
        if (const pid_t done = ::waitpid(child, &outcome.wait_status, WNOHANG); done == child)
            break;
        if (!kill_at && should_end()) {
            ::kill(-child, SIGTERM);
            kill_at = std::chrono::steady_clock::now() + grace;
        }
        if (!kill_at)
            continue;
        if (std::chrono::steady_clock::now() >= *kill_at)
            ::kill(-child, SIGKILL);
        if (std::chrono::steady_clock::now() >=
            *kill_at + grace) {  // the kernel can't end it (a disk that is gone): when it can, it will
            outcome.wait_status = SIGKILL;
            return outcome;
        }
    }
    if (kill_at)
        end_rest_of_group(child, *kill_at);
    guard.guards(0);
    if (problems.read.get() >= 0)
        problem = read_problem(problems.read.get());
    if (problem != 0)
        throw std::system_error(problem, std::generic_category(),
                                std::string("could not run the command by ") + run.name());
    if (errors.read.get() >= 0)
        read_stderr(errors.read.get(), outcome.stderr_tail);
    flush_messages(std::chrono::seconds(1));
    return outcome;
}

bool is_passing(const std::error_code& problem) {
    for (const int code : {EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY, EIO})
        if (problem == std::error_code(code, std::generic_category()))
            return true;
    return false;
}

std::string failure_text(const command_outcome& outcome) {
    std::string text = "the command " + describe_end(outcome.wait_status);
    std::string_view said = outcome.stderr_tail;
    while (!said.empty() && (said.back() == '\n' || said.back() == ' '))
        said.remove_suffix(1);
    if (!said.empty())
        text += ": ";
    said = fitting_end(said, tail_limit - text.size());
    for (const char c : said)
        c == '\0' ? text += "\xEF\xBF\xBD" : text += c;  // an exception's text ends at a zero
    return text;
}

}  // namespace pgpubsub::cli
