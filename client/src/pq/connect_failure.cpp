// Guarantees that the hint of an error suits its reason, as far as the reason is known. If several hosts failed, the
// most informative failure is reported: a server that refuses comes before one that does not answer.

#include "pq/connect_failure.hpp"

#include <algorithm>
#include <optional>

#include "base/one_line.hpp"
#include "base/sqlstate.hpp"

namespace pgpubsub::inline v0 {

namespace {

bool contains(std::string_view text, std::string_view what) { return text.find(what) != std::string_view::npos; }

// "FATAL:  28P01: password …": two spaces, five characters, a colon, whatever the language of the first word.
std::string sqlstate_in(std::string_view line) {
    for (auto at = line.find(":  "); at != std::string_view::npos; at = line.find(":  ", at + 1)) {
        const auto state = line.substr(at + 3, 5);
        const bool is_state = state.size() == 5 && line.substr(at + 8, 2) == ": " &&
                              std::all_of(state.begin(), state.end(),
                                          [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
        if (is_state)
            return std::string(state);
    }
    return {};
}

struct advice {
    std::string_view sqlstate;
    std::string_view hint;
};

// Returns advice for the failures that libpq itself reports: those about TLS, and those about servers of the wrong
// kind.
std::optional<advice> advice_of_libpq(std::string_view message) {
    constexpr std::string_view state = sqlstate::unable_to_connect;
    if (contains(message, "SSL was required") || contains(message, "SSL connection is required"))
        return advice{
            state,
            "The server does not offer TLS here: switch it on there (ssl = on), or connect with another sslmode."};
    if (contains(message, "does not match host name"))
        return advice{
            state,
            "The server's certificate is for another name: connect by a name that it has, or with sslmode=verify-ca."};
    if (contains(message, "root certificate") && !contains(message, "verify failed"))
        return advice{state,
                      "To verify the server's certificate, put its authority's into that file, or name another one "
                      "with sslrootcert (PGSSLROOTCERT)."};
    if (contains(message, "verify failed"))
        return advice{state,
                      "The server's certificate is not signed by an authority of sslrootcert (PGSSLROOTCERT, "
                      "~/.postgresql/root.crt)."};
    if (contains(message, "SSL") || contains(message, "certificate"))
        return advice{
            state,
            "Check the settings of TLS: sslmode, sslrootcert, sslcert and sslkey of the DSN, and ssl of the server."};
    for (const std::string_view kind : {"session is read-only", "session is not read-only",
                                        "server is in hot standby mode", "server is not in hot standby mode"})
        if (contains(message, kind))
            return advice{state,
                          "None of the hosts is of the kind that target_session_attrs asks for; with several hosts "
                          "that is read-write, where nothing else is said."};
    if (contains(message, "could not translate host name"))
        return advice{state, "Check the name of the host: --dsn on the command line, else PGHOST."};
    return std::nullopt;
}

advice advice_of_server(const failed_attempt& f) {
    if (f.sqlstate == "57P03")
        return {"57P03", "The server is starting up, shutting down or recovering: wait until it is ready."};
    if (f.sqlstate == "53300") {
        if (contains(f.message, "for role"))
            return {"53300",
                    "Close some connections of this role, or let it have more: ALTER ROLE … CONNECTION LIMIT."};
        if (contains(f.message, "for database"))
            return {"53300",
                    "Close some connections to this database, or let it have more: ALTER DATABASE … CONNECTION LIMIT."};
        return {"53300", "Raise max_connections, or close some connections."};
    }
    return {sqlstate::server_rejected,
            "Check the database, the user and the password of the DSN, and the server's pg_hba.conf."};
}

advice advice_for(const failed_attempt& f) {
    if (f.lacks_password)
        return {sqlstate::server_rejected, "Give the password with PGPASSWORD or in ~/.pgpass."};
    if (!f.sqlstate.empty())
        return advice_of_server(f);
    if (const auto known = advice_of_libpq(f.message))
        return *known;
    return {sqlstate::unable_to_connect,
            "Check that the server is running and that host and port are right: --dsn on the command line, else PGHOST "
            "and PGPORT."};
}

int weight(const failed_attempt& f) {
    if (f.lacks_password || !f.sqlstate.empty())
        return 2;
    return advice_of_libpq(f.message) ? 1 : 0;
}

}  // namespace

failed_attempt read_failure(std::string_view message) {
    failed_attempt failure;
    std::string text;
    while (!message.empty()) {
        const auto end = message.find('\n');
        std::string line(message.substr(0, end));
        message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
        if (line.starts_with("LOCATION:"))
            continue;
        if (const auto state = sqlstate_in(line); !state.empty()) {
            failure.sqlstate = state;
            line.erase(line.find(":  " + state) + 3, 7);
        }
        text += line + ' ';
    }
    failure.message = printable(text);
    failure.message.erase(failure.message.find_last_not_of(' ') + 1);
    return failure;
}

bool is_final(const failed_attempt& failure) {
    return failure.lacks_password || (!failure.sqlstate.empty() && failure.sqlstate != "57P03");
}

error connect_error(const std::vector<failed_attempt>& failures) {
    std::string message;
    for (const auto& f : failures)
        message += (message.empty() ? "could not connect: " : "; ") + f.message;
    const auto speaker = std::max_element(failures.begin(), failures.end(),
                                          [](const auto& a, const auto& b) { return weight(a) < weight(b); });
    const auto what = advice_for(*speaker);
    return error(message, {.sqlstate = std::string(what.sqlstate), .hint = std::string(what.hint)});
}

}  // namespace pgpubsub::inline v0
