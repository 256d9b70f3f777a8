// Rows as a table for people. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/one_line.hpp"
#include "output/terminal.hpp"

namespace pgpubsub::cli {

using table_row = std::vector<std::string>;

// Returns a text as a cell shows it: only the beginning of a long text; a space for each character that could end the
// line or control the terminal.
inline std::string cell_text(std::string_view text, std::size_t limit = 60) {
    const std::string shown = printable(text.substr(0, 4 * (limit + 1)));  // a character has four bytes at most
    if (width_of(shown) <= limit)
        return shown;
    std::size_t end = 0;
    for (std::size_t width = 0; end < shown.size();) {
        const auto length = std::max<std::size_t>(1, utf8_sequence(std::string_view(shown).substr(end, 4)));
        width += width_of(std::string_view(shown).substr(end, length));
        if (width > limit)
            break;
        end += length;
    }
    return shown.substr(0, end) + "…";
}

// Returns the header and the rows: columns side by side with two spaces between, columns of numbers aligned to the
// right.
inline std::string format_table(const table_row& header, const std::vector<table_row>& rows) {
    std::vector<std::size_t> widths;
    std::vector<bool> numbers;
    for (std::size_t column = 0; column < header.size(); ++column) {
        std::size_t width = width_of(header[column]);
        bool all_numbers = !rows.empty();
        for (const auto& row : rows) {
            width = std::max(width, width_of(row[column]));
            all_numbers = all_numbers && row[column].find_first_not_of("0123456789.-~") == std::string::npos;
        }
        widths.push_back(width);
        numbers.push_back(all_numbers);
    }
    std::string table;
    const auto append = [&](const table_row& row) {
        std::string line;
        for (std::size_t column = 0; column < row.size(); ++column) {
            const std::string space(widths[column] - width_of(row[column]), ' ');
            line += (column > 0 ? "  " : "") + (numbers[column] ? space + row[column] : row[column] + space);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        table += line + '\n';
    };
    append(header);
    for (const auto& row : rows)
        append(row);
    return table;
}

}  // namespace pgpubsub::cli
