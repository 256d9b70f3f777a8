// Writes to stdout and stderr without waiting for their readers.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string_view>

namespace pgpubsub::cli {

// Opens those of the descriptors 0, 1 and 2 that are closed, so that no pipe or connection gets their numbers and is
// taken for stdout. Reading from a stdin that was closed, and writing to a stdout that was closed, is an error. Called
// first.
void open_standard_descriptors();

// A standard descriptor whose reader may be slow, stuck or gone.
class output {
public:
    explicit output(int fd);
    ~output();
    output(const output&) = delete;
    output& operator=(const output&) = delete;

    // Writes as much as is accepted at once, and returns the number of bytes; 0: none just now; -1: an error, see
    // errno.
    ssize_t write_some(std::string_view text) noexcept;

    // Waits until more is accepted, for `limit` at most.
    void wait(std::chrono::milliseconds limit) const noexcept;

private:
    enum class kind { plain, pipe_or_terminal, socket };

    int fd_;
    kind kind_;
    int own_ = -1;  // the same pipe or terminal, opened non-blocking, which affects this opening only
};

// Writes the whole text to stdout, however long that takes. Throws pgpubsub::error, or reader_is_gone.
void print(std::string_view text);

struct reader_is_gone {};

}  // namespace pgpubsub::cli
