// Recognises the statements that would end or begin the transaction that a handler works in. Pure.
//
// The extended protocol takes one statement at a time, and procedures and DO blocks can't end an outer
// transaction block, so looking at a statement's first words is enough.
#pragma once

#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>

namespace pgpubsub::inline v0 {

// Removes white space, empty statements, -- comments and (nested) /* comments */ from the front.
constexpr std::string_view skip_blank(std::string_view sql) {
    while (!sql.empty()) {
        const char c = sql.front();
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v' || c == ';') {
            sql.remove_prefix(1);
        } else if (sql.starts_with("--")) {
            const std::size_t end = sql.find_first_of("\r\n");
            sql.remove_prefix(end == std::string_view::npos ? sql.size() : end);
        } else if (sql.starts_with("/*")) {
            std::size_t depth = 0;
            do {
                if (sql.starts_with("/*")) {
                    ++depth;
                    sql.remove_prefix(2);
                } else if (sql.starts_with("*/")) {
                    --depth;
                    sql.remove_prefix(2);
                } else {
                    sql.remove_prefix(1);
                }
            } while (depth > 0 && !sql.empty());
        } else {
            break;
        }
    }
    return sql;
}

// Takes the next word off the front, in lower case; empty when none begins there.
inline std::string next_word(std::string_view& sql) {
    sql = skip_blank(sql);
    std::string word;
    const auto in_word = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '$' || c >= 0x80; };
    while (!sql.empty() && in_word(static_cast<unsigned char>(sql.front()))) {
        word += static_cast<char>(std::tolower(static_cast<unsigned char>(sql.front())));
        sql.remove_prefix(1);
    }
    return word;
}

// Returns whether it is BEGIN, START, COMMIT, END, ABORT, PREPARE TRANSACTION, or ROLLBACK without TO.
inline bool controls_transaction(std::string_view sql) {
    const std::string first = next_word(sql);
    for (const std::string_view word : {"begin", "start", "commit", "end", "abort"})
        if (first == word)
            return true;
    if (first != "rollback" && first != "prepare")
        return false;
    std::string second = next_word(sql);
    if (first == "prepare")
        return second == "transaction";
    if (second == "work" || second == "transaction")
        second = next_word(sql);
    return second != "to";
}

inline std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return lower;
}

// Returns whether it is SAVEPOINT, RELEASE or ROLLBACK TO with the given name (of lower-case letters) in it.
inline bool is_about_savepoint(std::string_view sql, std::string_view name) {
    std::string_view rest = sql;
    const std::string first = next_word(rest);
    if (first != "savepoint" && first != "release" && first != "rollback")
        return false;
    return lower_case(rest).find(name) != std::string::npos;
}

// Returns whether it is SET, RESET, or a SELECT of set_config(): its effect outlasts the handler, and possibly the
// transaction.
inline bool changes_settings(std::string_view sql) {
    std::string_view rest = sql;
    const std::string first = next_word(rest);
    return first == "set" || first == "reset" || lower_case(rest).find("set_config") != std::string::npos;
}

}  // namespace pgpubsub::inline v0
