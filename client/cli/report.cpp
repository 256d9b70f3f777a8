// Guarantees that each report is one write(2), so that lines of several processes stay whole; and that a message (the
// library's are so by themselves) is one line without what drives a terminal, though names, errors and hints in it come from others.

#include "report.hpp"

#include <unistd.h>

#include <pgpubsub/error.hpp>

#include "one_line.hpp"

namespace pgpubsub::cli {

namespace {

std::string& speaker() {
    static std::string name = "pgpubsub";
    return name;
}

void write_stderr(std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(STDERR_FILENO, text.data(), text.size());
        if (written <= 0) return;  // nowhere left to complain
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

void report(std::string_view message, std::string_view hint) {
    std::string text = speaker() + ": ";
    text += printable(message) + '\n';
    if (!hint.empty()) text += "hint: " + printable(hint) + '\n';
    write_stderr(text);
}

void report(const error& e) { report(e.what(), e.hint()); }

void speak_as_worker(int number) { speaker() = "pgpubsub[" + std::to_string(number) + "]"; }

log_callback log_to_stderr(log_level least) {
    return [least](log_level level, std::string_view message) {
        if (level < least) return;
        std::string text = speaker() + ": ";
        if (level != log_level::info) text.append(to_string(level)) += ": ";
        write_stderr(text.append(message) += '\n');
    };
}

}  // namespace pgpubsub::cli
