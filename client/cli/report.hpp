// What the program says on stderr.
#pragma once

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
// of several workers don't mix.
void report(std::string_view message, std::string_view hint = {});
void report(const error& e);

// Which of several worker processes speaks, from now on: "pgpubsub[2]: ".
void speak_as_worker(int number);

// Logs messages of at least the given level.
log_callback log_to_stderr(log_level least);

}  // namespace pgpubsub::cli
