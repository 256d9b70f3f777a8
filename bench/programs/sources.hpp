// What can be consumed from: one loop for all systems, so that what differs is the system.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace bench {

using handler = std::function<void(std::string_view payload)>;

class source {
public:
    virtual ~source() = default;
    // One batch: claims up to so many as the source was made for, gives their payloads to the handler and ends the
    // claim. In a database that is committed when it returns. Returns how many there were.
    virtual std::size_t take(const handler& handle) = 0;
    // Returns when there may be more, after so many milliseconds at the latest.
    virtual void wait(int milliseconds) = 0;
};

// SYSTEM is one of pgpubsub (take), pgpubsub-lease (claim and ack), raw, pgq, notify, redis. The channel, table, queue
// or stream has the name "bench"; consumers of PgQ and Redis are called c1, c2, ...
std::unique_ptr<source> make_source(const std::string& system, int batch, int index);

}  // namespace bench
