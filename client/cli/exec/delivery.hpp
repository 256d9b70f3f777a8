// How `pgpubsub listen` handles a notification.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <pgpubsub/pgpubsub.hpp>

#include "exec/guardian.hpp"
#include "output/output.hpp"

namespace pgpubsub::cli {

// Prints a notification, or runs a command for it. Made before there is any thread or connection.
class delivery {
public:
    explicit delivery(std::optional<std::string> command);

    // Throws the failure of the command. Throws stop_consuming if the second request to stop ended the command, if no
    // command can be started, and if the line can't be written.
    void deliver(const notification& n, const consumer& running);

    // is_reader_gone() returns whether it ended because nobody reads stdout any more; is_lacking() whether it ended
    // because of a lack of resources that may pass.
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
