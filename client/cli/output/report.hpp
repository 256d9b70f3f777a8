// The messages of the program on stderr.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <pgpubsub/log.hpp>

namespace pgpubsub {
inline namespace v0 {
class error;
}
}  // namespace pgpubsub

namespace pgpubsub::cli {

// Writes "pgpubsub: message", and below it "hint: …" if there is a hint. A whole line is written at a time, so that the
// lines of several workers don't mix. Text that nobody reads waits in memory, and is left out if there is too much of
// it.
void report(std::string_view message, std::string_view hint = {});
void report(const error& e);

// Sets the worker process that speaks from now on: "pgpubsub[2]: ". Called in the worker.
void speak_as_worker(int number);

// Returns a callback that logs messages of at least the given level.
log_callback log_to_stderr(log_level least);

// Passes on text that a command has written to its stderr.
void relay(std::string_view text);

// Returns whether there is room for more of that text. Returns false while the reader of stderr is slow, for some
// seconds at most: after that, unread text is left out.
bool can_relay();

// Writes the waiting text, for `limit` at most. Each later message also writes the text that waits before it.
void flush_messages(std::chrono::milliseconds limit);

}  // namespace pgpubsub::cli
