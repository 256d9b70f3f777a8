// Guarantees for messages:
// - A message is one line without control sequences for terminals, although names, errors and hints in it come from
//   elsewhere. (The library's messages are so by themselves.)
// - It is one write(2) if the reader accepts it at once, so that lines of several processes stay whole.
// - A slow or stuck reader of stderr holds up nothing: neither the work nor a stop. Text that it does not accept waits
//   here, up to a limit. Text beyond the limit is left out, and the next message says so.

#include "output/report.hpp"

#include <unistd.h>

#include <mutex>

#include <pgpubsub/error.hpp>

#include "base/one_line.hpp"
#include "output/output.hpp"
#include "output/wording.hpp"

namespace pgpubsub::cli {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t relay_limit = 64 * 1024;  // from here on a command waits for the reader, as it would without us …
constexpr std::chrono::seconds patience{5};     // … but not for longer than this
constexpr std::size_t pending_limit = 256 * 1024;

std::string& speaker() {
    static std::string name = "pgpubsub";
    return name;
}

// Shared by the threads of a consumer.
class stderr_queue {
public:
    void add(std::string_view text) {
        const std::scoped_lock lock(mutex_);
        push();
        if (pending_.size() + text.size() > pending_limit) {
            lost_ += text.size();
            return;
        }
        pending_ += text;
        push();
    }

    bool has_room() {
        const std::scoped_lock lock(mutex_);
        push();
        return pending_.size() < relay_limit || clock::now() - taken_at_ >= patience;
    }

    void flush(std::chrono::milliseconds limit) {
        const auto until = clock::now() + limit;
        const std::scoped_lock lock(mutex_);
        for (push(); !pending_.empty() && clock::now() < until && clock::now() - taken_at_ < patience; push())
            out_.wait(std::chrono::milliseconds(20));
    }

    void forget() { pending_.clear(); }

private:
    void push() {
        while (!pending_.empty()) {
            const auto count = out_.write_some(pending_);
            if (count < 0)
                pending_.clear();  // there is no place left for a complaint
            if (count <= 0)
                return;
            pending_.erase(0, static_cast<std::size_t>(count));
            taken_at_ = clock::now();
            if (pending_.empty() && lost_ > 0) {
                pending_ = speaker() + ": warning: " + std::to_string(lost_) +
                           " bytes are left out here: stderr was not read\n";
                lost_ = 0;
            }
        }
        taken_at_ = clock::now();
    }

    std::mutex mutex_;
    output out_{STDERR_FILENO};
    std::string pending_;
    std::size_t lost_ = 0;
    clock::time_point taken_at_ = clock::now();  // when all was written, or a part of it
};

stderr_queue& messages() {
    static stderr_queue queue;
    return queue;
}

}  // namespace

void report(std::string_view message, std::string_view hint) {
    std::string text = speaker() + ": ";
    text += printable(message) + '\n';
    if (!hint.empty())
        text += "hint: " + printable(in_own_words(hint)) + '\n';
    messages().add(text);
}

void report(const error& e) { report(e.what(), e.hint()); }

void speak_as_worker(int number) {
    speaker() = "pgpubsub[" + std::to_string(number) + "]";
    messages().forget();  // the waiting text belongs to the parent
}

log_callback log_to_stderr(log_level least) {
    return [least](log_level level, std::string_view message) {
        if (level < least)
            return;
        std::string text = speaker() + ": ";
        if (level != log_level::info)
            text.append(to_string(level)) += ": ";
        messages().add(text.append(in_own_words(message)) += '\n');
    };
}

void relay(std::string_view text) { messages().add(text); }

bool can_relay() { return messages().has_room(); }

void flush_messages(std::chrono::milliseconds limit) { messages().flush(limit); }

}  // namespace pgpubsub::cli
