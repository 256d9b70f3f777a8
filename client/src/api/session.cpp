// A single connection with the checks and hints of the library.

#include <pgpubsub/session.hpp>

#include "base/logger.hpp"
#include "base/sqlstate.hpp"
#include "pq/connection.hpp"
#include "pq/result_impl.hpp"
#include "protocol/sql_calls.hpp"

namespace pgpubsub::inline v0 {

class session::impl {
public:
    explicit impl(session_options options)
        : log(std::move(options.log)), server(parse_dsn(options.dsn, options.application_name), log, nullptr) {
        server.look_after(options.server_silence);
        check_extension(server);
    }

    logger log;
    connection server;
};

namespace {

template <typename Impl>
Impl& owned(const std::unique_ptr<Impl>& impl) {
    if (impl)
        return *impl;
    throw error("the session was moved from",
                {.sqlstate = std::string(sqlstate::wrong_moment), .hint = "Use the one that it was moved to."});
}

}  // namespace

session::session(session_options options) : impl_(std::make_unique<impl>(std::move(options))) {}
session::session(session&&) noexcept = default;
session& session::operator=(session&&) noexcept = default;
session::~session() = default;

std::uint64_t session::execute(std::string_view sql, const params& parameters) {
    return affected_rows(owned(impl_).server.exec(std::string(sql), parameters).get());
}

result session::query(std::string_view sql, const params& parameters) {
    return make_result(owned(impl_).server.exec(std::string(sql), parameters));
}

namespace {

// The outcome of a publication whose reply got lost is unknown. If the right to publish is missing, the error says
// which role can grant it.
template <typename Read>
auto publish_by(connection& server, const statement& call, const std::string& channel, Read read) {
    try {
        return read(server.exec(call.sql, call.parameters).get());
    } catch (const error& e) {
        if (!e.connection_lost())
            throw with_privilege_hint(e, server, channel, "publish");
        throw error(std::string(e.what()) + "; whether it was stored is unknown",
                    {.sqlstate = e.sqlstate(), .hint = e.hint(), .connection_lost = true, .in_doubt = true});
    }
}

}  // namespace

std::int64_t session::publish(const message& what) {
    return publish_by(owned(impl_).server, publish_statement(what), what.channel, read_number);
}

std::vector<std::int64_t> session::publish_batch(const message_batch& what) {
    return publish_by(owned(impl_).server, publish_batch_statement(what), what.channel, read_numbers);
}

std::int64_t session::recover(const std::optional<std::string>& channel, int chunk_size) {
    const statement call = recover_statement(channel, chunk_size);
    try {
        return read_number(owned(impl_).server.exec(call.sql, call.parameters).get());
    } catch (const error& e) {
        if (!channel)
            throw;
        throw with_privilege_hint(e, owned(impl_).server, *channel, "consume");
    }
}

}  // namespace pgpubsub::inline v0
