// Commands that mean the same with and without a shell: words of harmless characters, the first of which is the name of
// a program. Starting the program itself takes half the time. Pure, except find_program().
#pragma once

#include <unistd.h>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgpubsub::cli {

// Returns whether a shell handles the word itself, or may handle it otherwise than the program of that name. true and
// false are the same in both.
inline bool is_word_of_the_shell(std::string_view word) {
    constexpr std::array words{
        ".",        ":",       "alias",   "bg",      "break",  "builtin", "case",     "cd",     "chdir",  "command",
        "continue", "declare", "dirs",    "disown",  "do",     "done",    "echo",     "elif",   "else",   "enable",
        "esac",     "eval",    "exec",    "exit",    "export", "fc",      "fg",       "fi",     "for",    "function",
        "getopts",  "hash",    "help",    "history", "if",     "in",      "jobs",     "kill",   "let",    "local",
        "logout",   "popd",    "printf",  "pushd",   "pwd",    "read",    "readonly", "return", "select", "set",
        "shift",    "source",  "suspend", "test",    "then",   "time",    "times",    "trap",   "type",   "typeset",
        "ulimit",   "umask",   "unalias", "unset",   "until",  "wait",    "while"};
    return std::find(words.begin(), words.end(), word) != words.end();
}

// Returns the words of such a command; no value if it needs a shell.
inline std::optional<std::vector<std::string>> plain_words(std::string_view command) {
    constexpr std::string_view harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./,:@%= \t";
    if (command.find_first_not_of(harmless) != std::string_view::npos)
        return std::nullopt;
    std::vector<std::string> words;
    for (auto begin = command.find_first_not_of(" \t"); begin != std::string_view::npos;) {
        const auto end = std::min(command.find_first_of(" \t", begin), command.size());
        words.emplace_back(command.substr(begin, end - begin));
        begin = command.find_first_not_of(" \t", end);
    }
    if (words.empty() || words.front().find('=') != std::string::npos || is_word_of_the_shell(words.front()))
        return std::nullopt;
    return words;
}

// Returns the path of the program with this name, as a shell finds it. Returns no value if there is none: the shell
// reports that best.
inline std::optional<std::string> find_program(const std::string& name) {
    const auto is_program = [](const std::string& path) {
        struct stat what {};
        return ::stat(path.c_str(), &what) == 0 && S_ISREG(what.st_mode) && ::access(path.c_str(), X_OK) == 0;
    };
    if (name.find('/') != std::string::npos)
        return is_program(name) ? std::optional(name) : std::nullopt;
    const char* const path = std::getenv("PATH");
    if (path == nullptr)
        return std::nullopt;
    for (std::string_view rest = path;;) {
        const auto end = std::min(rest.find(':'), rest.size());
        std::string candidate(rest.substr(0, end));
        candidate += (candidate.empty() ? "./" : "/") + name;
        if (is_program(candidate))
            return candidate;
        if (end == rest.size())
            return std::nullopt;
        rest.remove_prefix(end + 1);
    }
}

}  // namespace pgpubsub::cli
