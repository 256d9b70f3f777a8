// Guarantees that a silent name server holds up nobody for longer than the limit.

#include "pq/resolve.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/blocking.hpp"

namespace pgpubsub::inline v0 {

namespace {

resolved ask(const std::string& name, int flags) noexcept try {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = flags;
    addrinfo* first = nullptr;
    if (const int code = ::getaddrinfo(name.c_str(), nullptr, &wanted, &first); code != 0)
        return {.addresses = {}, .problem = ::gai_strerror(code)};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(first, ::freeaddrinfo);
    resolved answer;
    for (const addrinfo* a = first; a != nullptr; a = a->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        if (::getnameinfo(a->ai_addr, a->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
            continue;
        const std::string address(text.data());
        if (std::find(answer.addresses.begin(), answer.addresses.end(), address) == answer.addresses.end())
            answer.addresses.push_back(address);
    }
    if (answer.addresses.empty())
        answer.problem = "the name has no address";
    return answer;
} catch (...) {
    return {.addresses = {}, .problem = "out of memory"};
}

}  // namespace

std::optional<resolved> resolve(const std::string& name, clock::time_point deadline, inbox* in) {
    if (auto numeric = ask(name, AI_NUMERICHOST); numeric.problem.empty())
        return numeric;  // asks no name server
    return call_within(deadline, in, [name] { return ask(name, 0); });
}

}  // namespace pgpubsub::inline v0
