// What the subcommands that look at the server have in common.
#pragma once

#include <string>

#include <pgpubsub/session.hpp>

namespace pgpubsub::cli {

// Connects. Unqualified names in later statements mean pg_catalog's, and times are written in one way, whatever the
// user or the database has set. Throws error.
session connect(const std::string& dsn);

// Prints the rows of a SELECT on stdout: as a table whose header is the names of its columns, or as a JSON object for
// each row. Throws error, also when stdout can't be written to.
void print_table(const result& rows);
void print_json(const result& rows);  // of the one column: the text of the object

// Prints how many something was done for, and a newline.
void print_number(const result& number);
void print_number(const std::string& number);

// Throws error 42704 when there is no such channel, 42501 when the user may neither publish to it nor consume from it.
void require_channel(session& server, const std::string& channel);

}  // namespace pgpubsub::cli
