// The appearance of text on a terminal.
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <cwchar>
#include <string>
#include <string_view>

#include <locale.h>

#include "base/text.hpp"

namespace pgpubsub::cli {

// Returns the number of columns of the terminal that is stdout; 80 if stdout is not a terminal.
inline std::size_t terminal_width() {
    winsize size{};
    if (::isatty(STDOUT_FILENO) != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col;
    return 80;
}

// Returns how many columns a text of printable characters takes. Some characters are two columns wide, and some have no
// width. Pure.
inline std::size_t width_of(std::string_view text) {
    // Independent of the user's locale: our output is UTF-8.
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    const locale_t former = utf8 != nullptr ? ::uselocale(utf8) : nullptr;
    std::size_t width = 0;
    for (std::size_t i = 0; i < text.size();) {
        const auto length = std::max<std::size_t>(1, utf8_sequence(text.substr(i, 4)));
        const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[i + k]) & 0x3Fu; };
        wchar_t character = static_cast<unsigned char>(text[i]);
        if (length == 2)
            character = static_cast<wchar_t>((static_cast<unsigned char>(text[i]) & 0x1Fu) << 6 | byte(1));
        if (length == 3)
            character =
                static_cast<wchar_t>((static_cast<unsigned char>(text[i]) & 0x0Fu) << 12 | byte(1) << 6 | byte(2));
        if (length == 4)
            character = static_cast<wchar_t>((static_cast<unsigned char>(text[i]) & 0x07u) << 18 | byte(1) << 12 |
                                             byte(2) << 6 | byte(3));
        const int columns = length == 1 ? 1 : ::wcwidth(character);
        width += static_cast<std::size_t>(columns >= 0 ? columns : 1);
        i += length;
    }
    if (former != nullptr)
        ::uselocale(former);
    return width;
}

// Returns the lines of a help text in this width. The rest of a long line goes below its beginning; if the line has a
// description, which begins in the given column, below the description. Pure.
inline std::string wrapped(std::string_view text, std::size_t width, std::size_t column) {
    std::string result;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto begin = std::min(line.find_first_not_of(' '), line.size());
        const bool is_described = begin > 0 && line.size() > column && line[column - 1] == ' ' && line[column] != ' ';
        const auto indent = is_described ? column : begin;
        std::string before;
        while (before.size() + width_of(line) > width) {
            // Counts bytes, which are no fewer than columns: a line may become a little shorter than it could be.
            const auto room = std::min(width - before.size() + 1, line.size());
            const auto least = before.empty() ? indent : 0;
            auto cut = line.substr(0, room).rfind(' ');
            if (cut == std::string_view::npos || cut <= least)
                cut = line.find(' ', least + 1);
            if (cut == std::string_view::npos)
                break;
            result += before + std::string(line.substr(0, cut)) + '\n';
            line.remove_prefix(std::min(line.find_first_not_of(' ', cut), line.size()));
            before = std::string(indent, ' ');
        }
        result += before + std::string(line) + '\n';
    }
    return result;
}

}  // namespace pgpubsub::cli
