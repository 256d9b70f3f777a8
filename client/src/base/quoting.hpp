// Quotes text for places in SQL where no parameter can stand. Pure. All text is UTF-8, and the connections are set to
// UTF-8, so no byte of a longer character can be taken for a quote.
#pragma once

#include <string>
#include <string_view>

namespace pgpubsub::inline v0 {

// Returns an identifier in double quotes, as LISTEN needs it.
inline std::string quote_identifier(std::string_view name) {
    std::string quoted = "\"";
    for (const char c : name) {
        if (c == '"')
            quoted += '"';
        quoted += c;
    }
    return quoted += '"';
}

// Returns a name as a value of type regrole: in double quotes only if it needs them, because people will read it.
inline std::string quote_role(std::string_view name) {
    const bool plain =
        !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
    return plain && (name.front() < '0' || name.front() > '9') ? std::string(name) : quote_identifier(name);
}

// Returns a string constant for a statement that is shown to people.
inline std::string quote_literal(std::string_view text) {
    std::string quoted = "'";
    for (const char c : text) {
        if (c == '\'')
            quoted += '\'';
        quoted += c;
    }
    return quoted += '\'';
}

// Returns the text form of an array of text. Every element is quoted, so that NULL, braces and commas are plain text.
// An element without a value (in a range of optionals) is null.
template <typename Range>
std::string array_literal(const Range& elements) {
    std::string literal = "{";
    const auto append = [&](std::string_view element) {
        literal += '"';
        for (const char c : element) {
            if (c == '"' || c == '\\')
                literal += '\\';
            literal += c;
        }
        literal += '"';
    };
    for (const auto& element : elements) {
        if (literal.size() > 1)
            literal += ',';
        if constexpr (requires { element.has_value(); })
            element ? append(*element) : void(literal += "NULL");
        else
            append(element);
    }
    return literal += '}';
}

// Returns what is wrong with the name of a channel or subscription, or null.
inline const char* name_problem(std::string_view name) {
    if (name.empty())
        return "can't be empty";
    if (name.size() > 63)
        return "is limited to 63 bytes";
    if (name.find('\0') != std::string_view::npos)
        return "can't contain a zero byte";
    return nullptr;
}

}  // namespace pgpubsub::inline v0
