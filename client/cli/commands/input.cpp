#include "commands/input.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <pgpubsub/error.hpp>

namespace pgpubsub::cli {

namespace {

[[noreturn]] void refuse_length() {
    throw error(
        "the payload on stdin is longer than " + std::to_string(longest_payload) + " bytes",
        {.sqlstate = "54000", .hint = "PostgreSQL stores no longer one. --lines publishes each line for itself."});
}

}  // namespace

bool read_more(std::string& text) {
    static std::array<char, 256 * 1024> block;
    ssize_t count = 0;
    while ((count = ::read(STDIN_FILENO, block.data(), block.size())) < 0 && errno == EINTR) {}
    if (count < 0)
        throw error("could not read from stdin: " + std::string(std::strerror(errno)));
    text.append(block.data(), static_cast<std::size_t>(count));
    return count > 0;
}

std::string read_payload() {
    std::string text;
    struct stat what {};
    if (::fstat(STDIN_FILENO, &what) == 0 && S_ISREG(what.st_mode)) {
        const auto left = what.st_size - ::lseek(STDIN_FILENO, 0, SEEK_CUR);
        if (left > static_cast<off_t>(longest_payload))
            refuse_length();
        text.reserve(static_cast<std::size_t>(left > 0 ? left : 0));
    }
    while (read_more(text))
        if (text.size() > longest_payload)
            refuse_length();
    return text;
}

}  // namespace pgpubsub::cli
