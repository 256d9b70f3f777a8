// The payload of a NOTIFY on a broadcast channel. Pure.
//
//   {"pgpubsub": "broadcast", "id": 12, "channel": "prices", "created_at": "…", "payload": …}, and "key", "headers",
//       "db_version" where they are set
//   {"pgpubsub": "reference", "id": 12, "channel": "prices"}   it is too large: pgpubsub.read_broadcast() has the whole
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <pgpubsub/notification.hpp>

#include "base/json_scan.hpp"
#include "base/one_line.hpp"
#include "base/timestamp.hpp"

namespace pgpubsub::inline v0 {

struct envelope {
    bool by_reference = false;  // then `what` has only id and channel
    notification what;
};

// A JSON integer, in full.
template <typename Integer>
std::optional<Integer> json_integer(std::string_view text) {
    Integer number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    return code == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// Returns no value if the text was not written by the server: anybody can send a NOTIFY. The result has the properties
// of a notification read from a table: it is on one line, has no zero bytes, its headers are an object, and it has a
// time.
inline std::optional<envelope> parse_envelope(std::string_view text) {
    const auto members = json_scanner(text).members();
    if (!members)
        return std::nullopt;
    for (auto m = members->begin(); m != members->end(); ++m)  // jsonb has each name once
        for (auto other = members->begin(); other != m; ++other)
            if (other->first == m->first)
                return std::nullopt;
    const auto member = [&](std::string_view name) -> std::optional<std::string_view> {
        for (const auto& [found, value] : *members)
            if (found == name && value != "null")
                return value;
        return std::nullopt;
    };
    const auto text_of = [&](std::string_view name) -> std::optional<std::string> {
        const auto value = member(name);
        auto read = value ? json_scanner(*value).string_value() : std::nullopt;
        return read && read->find('\0') == std::string::npos ? std::move(read) : std::nullopt;
    };

    envelope e;
    const auto kind = text_of("pgpubsub");
    e.by_reference = kind == "reference";
    if (!e.by_reference && kind != "broadcast")
        return std::nullopt;
    const auto id = json_integer<std::int64_t>(member("id").value_or(""));
    auto channel = text_of("channel");
    if (!id || *id <= 0 || !channel)
        return std::nullopt;
    e.what.id = *id;
    e.what.channel = std::move(*channel);
    e.what.attempts = 1;
    if (e.by_reference)
        return e;

    const auto is_payload = [](const auto& m) { return m.first == "payload"; };  // the payload, which may be null
    const auto payload = std::find_if(members->begin(), members->end(), is_payload);
    if (payload == members->end())
        return std::nullopt;
    e.what.payload = json_on_one_line(payload->second);
    auto created_at = text_of("created_at");
    if (!created_at || !microseconds_of(*created_at))
        return std::nullopt;
    e.what.created_at = std::move(*created_at);
    e.what.idempotency_key = idempotency_key(e.what.id, e.what.created_at);
    e.what.key = text_of("key");
    if (const auto headers = member("headers"))
        e.what.headers = json_on_one_line(*headers);
    e.what.db_version = json_integer<int>(member("db_version").value_or(""));
    if ((member("key") && !e.what.key) || (e.what.headers && e.what.headers->front() != '{') ||
        (member("db_version") && !e.what.db_version))
        return std::nullopt;
    return e;
}

}  // namespace pgpubsub::inline v0
