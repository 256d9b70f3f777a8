// Translates the hints of the server and of the library, which speak of SQL, into commands of the program, if there is
// a command for it. Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace pgpubsub::cli {

// Replaces pgpubsub.subscribe('media', 'audit') by a shell command. Names with quotes in them are left as they are:
// quoting in SQL differs from quoting in a shell.
inline void replace_subscribe(std::string& text) {
    constexpr std::string_view begin = "SELECT pgpubsub.subscribe('", middle = "', '", end = "')";
    const auto at = text.find(begin);
    if (at == std::string::npos)
        return;
    const auto first = at + begin.size();
    const auto comma = text.find(middle, first);
    if (comma == std::string::npos)
        return;
    const auto second = comma + middle.size();
    const auto close = text.find(end, second);
    if (close == std::string::npos)
        return;
    const std::string channel = text.substr(first, comma - first), subscription = text.substr(second, close - second);
    if ((channel + subscription).find('\'') != std::string::npos)
        return;
    text.replace(at, close + end.size() - at, "pgpubsub subscribe '" + channel + "' '" + subscription + "'");
}

inline std::string in_own_words(std::string_view said) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 12> words{{
        {"SELECT name FROM pgpubsub.channels", "pgpubsub channels"},
        {"SELECT channel, subscription FROM pgpubsub.subscriptions", "pgpubsub channels"},
        {"if_not_exists => true", "--if-not-exists"},
        {"pgpubsub.subscribe()", "pgpubsub subscribe"},
        {"pgpubsub.unsubscribe()", "pgpubsub unsubscribe"},
        {"pgpubsub.purge_channel()", "pgpubsub purge"},
        {"pgpubsub.pause_channel()", "pgpubsub pause"},
        {"pgpubsub.resume_channel()", "pgpubsub resume"},
        {"pgpubsub.redrive()", "pgpubsub redrive"},
        {"pgpubsub.purge_dead_letters()", "pgpubsub purge-dead-letters"},
        {"pgpubsub.recover()", "pgpubsub recover"},
        {"pgpubsub.peek()", "pgpubsub peek"},
    }};
    std::string text(said);
    for (const auto& [sql, own] : words)
        for (auto at = text.find(sql); at != std::string::npos; at = text.find(sql, at + own.size()))
            text.replace(at, sql.size(), own);
    replace_subscribe(text);
    return text;
}

}  // namespace pgpubsub::cli
