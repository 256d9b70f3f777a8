// Guarantees that a host which swallows what it is sent does not keep the others from being tried: each address of each
// host has the whole of connect_timeout for itself. For non-blocking connections, libpq leaves that limit to the
// caller, so libpq gets one address at a time from here. The rules by which libpq chooses among several hosts are
// implemented here: target_session_attrs, load_balance_hosts, and that a server which refuses us ends the search.
//
// Connecting is done step by step (PQconnectPoll), because PQconnectdb can't be interrupted. The first wait is for
// writing. The socket is read anew before each wait, because libpq may replace it.

#include "pq/connecting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/inbox.hpp"
#include "base/poll.hpp"
#include "pq/connect_failure.hpp"
#include "pq/resolve.hpp"

namespace pgpubsub::inline v0 {

namespace {

// Limit after a request to stop: the end of the program waits for no longer than this.
constexpr milliseconds limit_after_stop = std::chrono::seconds(4);

class search {
public:
    search(const conninfo& target, inbox* in) : target_(target), in_(in), stops_(in != nullptr ? in->stops() : 0) {
        if (stops_ > 0)
            end_ = clock::now() + limit_after_stop;
    }

    pg_connection run() {
        auto hosts = target_.hosts;
        if (target_.any_order)
            shuffle(hosts);
        found_.resize(hosts.size());
        // libpq's rule for prefer-standby: if no host is a standby, then any host.
        const auto& wanted = target_.session_attributes;
        const std::vector<std::string> rounds =
            wanted == "prefer-standby" ? std::vector<std::string>{"standby", "any"} : std::vector{wanted};
        for (const auto& attributes : rounds) {
            failures_.clear();
            for (std::size_t i = 0; i < hosts.size(); ++i)
                for (const auto& place : places_of(hosts[i], found_[i]))
                    if (auto handle = attempt(place, attributes))
                        return handle;
        }
        throw connect_error(failures_);
    }

private:
    using places = std::vector<host>;  // each with one address at most

    // Returns the places of a host; looked up once.
    const places& places_of(const host& h, std::optional<places>& known) {
        if (known)
            return *known;
        if (!h.address.empty() || h.name.empty() || h.name.front() == '/' || h.name.front() == '@')
            return known.emplace(places{h});
        auto found = resolve(h.name, deadline(), in_);
        if (!found || !found->problem.empty()) {
            failures_.push_back({.message = fmt::format("could not translate host name \"{}\" to address: {}", h.name,
                                                        found ? found->problem : "timed out")});
            static const places none;
            return none;
        }
        if (target_.any_order)
            shuffle(found->addresses);
        known.emplace();
        for (const auto& address : found->addresses)
            known->push_back({h.name, address, h.port});
        return *known;
    }

    template <typename Elements>
    static void shuffle(Elements& elements) {
        static thread_local std::mt19937 source{std::random_device{}()};
        std::shuffle(elements.begin(), elements.end(), source);
    }

    clock::time_point deadline() const { return std::min(end_, clock::now() + target_.timeout); }

    // Returns null if the attempt failed and other hosts may be tried.
    pg_connection attempt(const host& h, const std::string& attributes) {
        settings_list settings = target_.settings;
        if (!h.name.empty())
            settings.emplace_back("host", h.name);
        if (!h.address.empty())
            settings.emplace_back("hostaddr", h.address);
        if (!h.port.empty())
            settings.emplace_back("port", h.port);
        if (!attributes.empty())
            settings.emplace_back("target_session_attrs", attributes);
        const setting_arrays arrays(settings);

        const auto begun = clock::now();
        const auto until = deadline();
        pg_connection handle(PQconnectStartParams(arrays.keywords.data(), arrays.values.data(), 0));
        if (!handle)
            throw std::bad_alloc();
        PQsetErrorVerbosity(handle.get(), PQERRORS_VERBOSE);  // includes the SQLSTATE: see read_failure()
        if (!finish(handle.get(), until)) {
            failures_.push_back({.message = fmt::format("connection to server {}failed: timed out after {:.0f} s",
                                                        name_of(handle.get(), h),
                                                        std::chrono::duration<double>(clock::now() - begun).count()),
                                 .timed_out = true});
            return nullptr;
        }
        if (PQstatus(handle.get()) == CONNECTION_OK) {
            PQsetErrorVerbosity(handle.get(), PQERRORS_DEFAULT);
            return handle;
        }
        auto failure = read_failure(PQerrorMessage(handle.get()));
        failure.lacks_password = PQconnectionNeedsPassword(handle.get()) != 0;
        failures_.push_back(failure);
        if (is_final(failure))
            throw connect_error({failure});
        return nullptr;
    }

    // Returns false if the time is over.
    bool finish(PGconn* handle, clock::time_point until) const {
        auto wanted = PGRES_POLLING_WRITING;
        while (PQstatus(handle) != CONNECTION_BAD && wanted != PGRES_POLLING_OK && wanted != PGRES_POLLING_FAILED) {
            std::array<pollfd, 2> waits{{
                {PQsocket(handle), static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0},
                {in_ != nullptr ? in_->fd() : -1, POLLIN, 0},
            }};
            if (!poll_until(waits, until))
                return false;
            if (waits[1].revents != 0) {
                in_->read();
                if (in_->stops() > stops_)
                    throw interrupted();
            }
            if (waits[0].revents != 0)
                wanted = PQconnectPoll(handle);
        }
        return true;
    }

    // Returns the name as libpq's own messages write it.
    static std::string name_of(const PGconn* handle, const host& h) {
        const char* used = PQhost(handle);
        const std::string name = used != nullptr && *used != '\0' ? used : h.name;
        const char* port = PQport(handle);
        if (name.empty())
            return "";
        if (name.front() == '/' || name.front() == '@')
            return fmt::format("on socket \"{}/.s.PGSQL.{}\" ", name, port != nullptr ? port : h.port);
        const bool has_other_address = !h.address.empty() && h.address != name;
        return fmt::format("at \"{}\"{}, port {} ", name, has_other_address ? " (" + h.address + ")" : "",
                           port != nullptr ? port : h.port);
    }

    const conninfo& target_;
    inbox* in_;
    int stops_;
    clock::time_point end_ = clock::time_point::max();
    std::vector<std::optional<places>> found_;
    std::vector<failed_attempt> failures_;
};

}  // namespace

pg_connection connect(const conninfo& target, inbox* in) { return search(target, in).run(); }

}  // namespace pgpubsub::inline v0
