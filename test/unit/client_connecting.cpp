// What to connect to, and what is said when that fails.

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "pq/connect_failure.hpp"
#include "pq/conninfo.hpp"

using namespace pgpubsub;

namespace {

std::string hosts_in(const std::string& dsn) {
    std::string all;
    for (const auto& h : parse_dsn(dsn, "").hosts)
        all += h.name + "|" + h.address + "|" + h.port + " ";
    return all;
}

std::string value_of(const conninfo& target, const std::string& keyword) {
    for (const auto& [k, v] : target.settings)
        if (k == keyword)
            return v;
    return {};
}

}  // namespace

TEST_CASE("the hosts of a DSN") {
    CHECK(hosts_in("host=a port=1") == "a||1 ");
    CHECK(hosts_in("host=a,b port=1,2") == "a||1 b||2 ");
    CHECK(hosts_in("host=a,b port=7") == "a||7 b||7 ");
    CHECK(hosts_in("host=a,b hostaddr=127.0.0.1,127.0.0.2 port=7") == "a|127.0.0.1|7 b|127.0.0.2|7 ");
    CHECK(hosts_in("hostaddr=127.0.0.1 port=7") == "|127.0.0.1|7 ");
    CHECK(hosts_in("postgresql://a:1,b:2/app") == "a||1 b||2 ");
    CHECK(value_of(parse_dsn("host=a", ""), "host").empty());  // given for each attempt anew
    CHECK(value_of(parse_dsn("host=a", ""), "tcp_user_timeout") == "30000");
    CHECK(value_of(parse_dsn("host=a tcp_user_timeout=5", ""), "tcp_user_timeout") == "5");
    CHECK(value_of(parse_dsn("ssl_min_protocol_version=TLSv1.3", ""), "ssl_min_protocol_version") == "TLSv1.3");
}

TEST_CASE("which kind of server is meant") {
    CHECK(parse_dsn("host=a", "").session_attributes == "any");
    CHECK(parse_dsn("host=a,b", "").session_attributes == "read-write");
    CHECK(parse_dsn("host=a,b target_session_attrs=any", "").session_attributes == "any");
    CHECK(parse_dsn("host=a,b target_session_attrs=prefer-standby", "").session_attributes == "prefer-standby");
    ::setenv("PGTARGETSESSIONATTRS", "any", 1);
    CHECK(parse_dsn("host=a,b", "").session_attributes == "any");
    ::unsetenv("PGTARGETSESSIONATTRS");
}

TEST_CASE("how long an attempt may take") {
    using std::chrono::seconds;
    CHECK(parse_dsn("", "").timeout == seconds(10));
    CHECK(parse_dsn("host=a,b connect_timeout=1", "").timeout == seconds(2));
    CHECK(parse_dsn("connect_timeout=' 7 '", "").timeout == seconds(7));
    CHECK(parse_dsn("connect_timeout=0", "").timeout > std::chrono::hours(1));
    for (const char* dsn :
         {"connect_timeout=abc", "connect_timeout=1s", "port=abc", "port=0", "port=1,x host=a,b", "service=nosuch"})
        CHECK_THROWS_AS(parse_dsn(dsn, ""), const error&);
}

TEST_CASE("what libpq says is taken apart") {
    const auto refused = read_failure(
        "connection to server at \"h\", port 1 failed: FATAL:  28P01: password authentication failed for user \"u\"\n"
        "LOCATION:  auth_failed, auth.c:334\n");
    CHECK(refused.sqlstate == "28P01");
    CHECK(refused.message ==
          "connection to server at \"h\", port 1 failed: FATAL:  password authentication failed for user \"u\"");
    CHECK(is_final(refused));
    const auto starting = read_failure("FATAL:  57P03: the database system is starting up");
    CHECK(starting.sqlstate == "57P03");
    CHECK(!is_final(starting));
    const auto away =
        read_failure("connection to server at \"h\", port 1 failed: Connection refused\n\tIs the server running?\n");
    CHECK(away.sqlstate.empty());
    CHECK(!is_final(away));
}

TEST_CASE("the hint suits the reason") {
    const auto hint_of = [](const char* message) { return connect_error({read_failure(message)}).hint(); };
    CHECK(hint_of("Connection refused").starts_with("Check that the server is running"));
    CHECK(hint_of("server does not support SSL, but SSL was required").starts_with("The server does not offer TLS"));
    CHECK(hint_of("root certificate file \"/x\" does not exist").starts_with("To verify"));
    CHECK(hint_of("SSL error: certificate verify failed").find("not signed by") != std::string::npos);
    CHECK(hint_of("server certificate for \"a\" does not match host name \"b\"").find("another name") !=
          std::string::npos);
    CHECK(hint_of("FATAL:  53300: sorry, too many clients already").starts_with("Raise max_connections"));
    CHECK(hint_of("FATAL:  53300: too many connections for role \"r\"").find("ALTER ROLE") != std::string::npos);
    CHECK(hint_of("FATAL:  53300: too many connections for database \"d\"").find("ALTER DATABASE") !=
          std::string::npos);
    // Of several the one that refused speaks.
    const auto both = connect_error(
        {read_failure("Connection refused"), read_failure("FATAL:  57P03: the database system is starting up")});
    CHECK(both.sqlstate() == "57P03");
    CHECK(std::string(both.what()) ==
          "could not connect: Connection refused; FATAL:  the database system is starting up");
}
