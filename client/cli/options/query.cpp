// Connecting and printing for the subcommands that query the server.

#include "options/query.hpp"

#include <pgpubsub/pgpubsub.hpp>

#include "base/one_line.hpp"
#include "output/output.hpp"
#include "output/report.hpp"
#include "output/table.hpp"

namespace pgpubsub::cli {

session connect(const std::string& dsn) {
    session server({.dsn = dsn, .log = log_to_stderr(log_level::warning)});
    server.execute(
        "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false),"
        " pg_catalog.set_config('DateStyle', 'ISO', false), pg_catalog.set_config('IntervalStyle', 'postgres', false)");
    return server;
}

void print_table(const result& rows) {
    table_row header;
    for (std::size_t column = 0; column < rows.columns(); ++column)
        header.emplace_back(rows.name(column));
    std::vector<table_row> cells;
    for (std::size_t row = 0; row < rows.rows(); ++row) {
        table_row line;
        for (std::size_t column = 0; column < rows.columns(); ++column)
            line.push_back(cell_text(rows.at(row, column).value_or("-")));
        cells.push_back(std::move(line));
    }
    print(format_table(header, cells));
}

void print_json(const result& rows) {
    std::string lines;
    for (std::size_t row = 0; row < rows.rows(); ++row)
        lines += json_on_one_line(rows.at(row, 0).value_or("null")) + '\n';
    print(lines);
}

void print_number(const result& number) { print_number(std::string(number.at(0, 0).value_or("0"))); }

void print_number(const std::string& text) {
    try {
        print(text + '\n');
    } catch (const error& e) {
        throw error("it was done, for " + text + " of them, but: " + e.what());
    }
}

void require_channel(session& server, const std::string& channel) {
    const auto right = server.query(
        "SELECT pgpubsub.has_channel_privilege($1, 'consume') OR pgpubsub.has_channel_privilege($1, 'publish')",
        {channel});
    if (!right.at(0, 0))
        throw error("channel \"" + channel + "\" does not exist",
                    {.sqlstate = "42704", .hint = "pgpubsub channels lists those that there are."});
    if (right.at(0, 0) != "t")
        throw error(
            "permission denied for channel \"" + channel + "\"",
            {.sqlstate = "42501", .hint = "The owner of the channel gives rights with pgpubsub.grant_channel()."});
}

}  // namespace pgpubsub::cli
