// Shared functions of the subcommands that query the server.
#pragma once

#include <string>

#include <pgpubsub/session.hpp>

namespace pgpubsub::cli {

// Connects. In later statements, unqualified names mean those of pg_catalog, and times have one format, whatever
// settings the user or the database has. Throws error.
session connect(const std::string& dsn);

// Prints the rows of a SELECT on stdout: print_table() as a table whose header is the names of its columns,
// print_json() as a JSON object for each row. Throws error, also if stdout can't be written to.
void print_table(const result& rows);
void print_json(const result& rows);  // of the one column, which is the text of the object

// Prints a number of processed items, and a newline.
void print_number(const result& number);
void print_number(const std::string& number);

// Throws error 42704 if there is no such channel, 42501 if the user may neither publish to it nor consume from it.
void require_channel(session& server, const std::string& channel);

}  // namespace pgpubsub::cli
