// Writing to stdout and stderr without waiting for whoever reads them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string_view>

namespace pgpubsub::cli {

// Opens what is closed of the descriptors 0, 1 and 2, so that nothing else gets these numbers: a pipe or a connection
// would be taken for stdout. Reading from a stdin, and writing to a stdout, that was closed is an error. To be called
// first.
void open_standard_descriptors();

// A standard descriptor whose reader may be slow, stuck or gone.
class output {
public:
    explicit output(int fd);
    ~output();
    output(const output&) = delete;
    output& operator=(const output&) = delete;

    // Writes what is taken at once, and returns how many bytes that is; 0: none just now; -1: an error, see errno.
    ssize_t write_some(std::string_view text) noexcept;

    // Waits until more is taken, for this long at most.
    void wait(std::chrono::milliseconds limit) const noexcept;

private:
    enum class kind { plain, pipe_or_terminal, socket };

    int fd_;
    kind kind_;
    int own_ = -1;  // the same pipe or terminal, opened without waiting, which is a property of this opening only
};

// Writes all of it to stdout, for however long that takes. Throws pgpubsub::error, or reader_is_gone.
void print(std::string_view text);

struct reader_is_gone {};

}  // namespace pgpubsub::cli
