// What a NOTIFY on a broadcast channel carries. Pure.
//
//   {"pgpubsub": "broadcast", "id": 12, "channel": "prices", "created_at": "…", "payload": …}, and "key", "headers",
//       "db_version" where they are set
//   {"pgpubsub": "reference", "id": 12, "channel": "prices"}   it is too large: pgpubsub.read_broadcast() has the whole
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <pgpubsub/notification.hpp>

#include "json_scan.hpp"

namespace pgpubsub::inline v0 {

struct envelope {
    bool by_reference = false;  // then what has only id and channel
    notification what;
};

// A JSON integer, in full.
template <typename Integer>
std::optional<Integer> json_integer(std::string_view text) {
    Integer number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    return code == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// Nothing when the text is no envelope: anybody can send a NOTIFY.
inline std::optional<envelope> parse_envelope(std::string_view text) {
    const auto members = json_scanner(text).members();
    if (!members) return std::nullopt;
    const auto member = [&](std::string_view name) -> std::optional<std::string_view> {
        for (const auto& [found, value] : *members)
            if (found == name && value != "null") return value;
        return std::nullopt;
    };
    const auto text_of = [&](std::string_view name) -> std::optional<std::string> {
        const auto value = member(name);
        return value ? json_scanner(*value).string_value() : std::nullopt;
    };

    envelope e;
    const auto kind = text_of("pgpubsub");
    e.by_reference = kind == "reference";
    if (!e.by_reference && kind != "broadcast") return std::nullopt;
    const auto id = json_integer<std::int64_t>(member("id").value_or(""));
    auto channel = text_of("channel");
    if (!id || !channel) return std::nullopt;
    e.what.id = *id;
    e.what.channel = std::move(*channel);
    e.what.attempts = 1;
    if (e.by_reference) return e;

    bool has_payload = false;  // which may be null
    for (const auto& [name, value] : *members)
        if (name == "payload") {
            e.what.payload = value;
            has_payload = true;
        }
    if (!has_payload) return std::nullopt;
    e.what.created_at = text_of("created_at").value_or("");
    e.what.key = text_of("key");
    if (const auto headers = member("headers")) e.what.headers = std::string(*headers);
    e.what.db_version = json_integer<int>(member("db_version").value_or(""));
    return e;
}

}  // namespace pgpubsub::inline v0
