#include "pq/probe.hpp"

#include <new>

#include "pq/connecting.hpp"

namespace pgpubsub::inline v0 {

namespace {

pg_connection begin(settings_list settings, const PGconn* asked_about) {
    // Uses the address, not the name: no name server is asked, and it is the same machine.
    for (const auto& [keyword, value] :
         {std::pair("host", PQhost(asked_about)), std::pair("hostaddr", PQhostaddr(asked_about)),
          std::pair("port", PQport(asked_about))})
        if (value != nullptr && *value != '\0')
            settings.emplace_back(keyword, value);
    const setting_arrays arrays(settings);
    pg_connection handle(PQconnectStartParams(arrays.keywords.data(), arrays.values.data(), 0));
    if (!handle)
        throw std::bad_alloc();
    return handle;
}

}  // namespace

probe::probe(const settings_list& settings, const PGconn* asked_about, milliseconds limit)
    : handle_(begin(settings, asked_about)), deadline_(clock::now() + limit) {}

bool probe::answered(bool is_ready) {
    if (PQstatus(handle_.get()) == CONNECTION_BAD)
        return true;
    if (!is_ready)
        return false;
    if (wanted_ == PGRES_POLLING_READING)
        return true;
    wanted_ = PQconnectPoll(handle_.get());
    return wanted_ != PGRES_POLLING_READING && wanted_ != PGRES_POLLING_WRITING;
}

}  // namespace pgpubsub::inline v0
