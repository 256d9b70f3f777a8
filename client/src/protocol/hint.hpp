// The meaning of the payload of a NOTIFY on a queue channel. Pure.
#pragma once

#include <charconv>
#include <cstddef>
#include <string_view>
#include <system_error>

namespace pgpubsub::inline v0 {

enum class hint {
    for_all,     // no payload
    for_us,      // a list of the server processes that are to look for work, with ours in it
    for_others,  // such a list without ours
    unknown,     // any other payload: a NOTIFY by an application, or a broadcast
};

// Reads `pids` as the server's worker writes it: "4711,4712". `own` is the pid of the server process that listens for
// us; 0: unknown, then it may be any of them.
inline hint read_hint(std::string_view pids, int own) {
    if (pids.empty())
        return hint::for_all;
    bool found = own == 0;
    for (;;) {
        int pid = 0;
        const char* const end = pids.data() + pids.size();
        const auto [rest, code] = std::from_chars(pids.data(), end, pid);
        if (code != std::errc() || pid <= 0)
            return hint::unknown;
        found = found || pid == own;
        if (rest == end)
            return found ? hint::for_us : hint::for_others;
        if (*rest != ',')
            return hint::unknown;
        pids.remove_prefix(static_cast<std::size_t>(rest + 1 - pids.data()));
    }
}

}  // namespace pgpubsub::inline v0
