// What `pgpubsub listen` does with a notification.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <pgpubsub/pgpubsub.hpp>

#include "exec/guardian.hpp"
#include "output/output.hpp"

namespace pgpubsub::cli {

// Prints it, or runs a command for it. Made before there is any thread or connection.
class delivery {
public:
    explicit delivery(std::optional<std::string> command);

    // Throws what the command failed with; stop_consuming when it was ended by the second request to stop, when no
    // command can be started, and when the line can't be written.
    void deliver(const notification& n, const consumer& running);

    // Whether it ended because nobody reads stdout any more; because something was lacking that may be there again.
    bool is_reader_gone() const { return reader_is_gone_; }
    bool is_lacking() const { return is_lacking_; }

private:
    void print(const notification& n, const consumer& running);
    void run(const notification& n, const consumer& running);

    std::optional<std::string> command_;
    std::optional<guardian> guard_;
    std::optional<output> out_;
    std::optional<std::chrono::steady_clock::time_point> give_up_at_;
    bool reader_is_gone_ = false;
    bool is_lacking_ = false;
};

}  // namespace pgpubsub::cli
