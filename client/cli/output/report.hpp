// What the program says on stderr.
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

// "pgpubsub: message", and below it "hint: …" if there is one. A whole line at a time, so that the lines
// of several workers don't mix. What nobody reads waits in memory, and is left out when that is too much.
void report(std::string_view message, std::string_view hint = {});
void report(const error& e);

// Which of several worker processes speaks, from now on: "pgpubsub[2]: ". Called in the worker.
void speak_as_worker(int number);

// Logs messages of at least the given level.
log_callback log_to_stderr(log_level least);

// Passes on what a command has written to its stderr.
void relay(std::string_view text);

// Whether there is room for more of that; false while the reader of stderr is slow, for some seconds at most: then what
// it does not read is left out.
bool can_relay();

// Writes what waits, until this long has passed. Anything that is said writes what waits before it, too.
void flush_messages(std::chrono::milliseconds limit);

}  // namespace pgpubsub::cli
