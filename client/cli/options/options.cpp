// The options that several subcommands share.

#include "options/options.hpp"

#include "output/json_line.hpp"

namespace pgpubsub::cli {

const char* const footer =
    "Connection: --dsn takes a libpq connection string or URI; without it\n"
    "PGPUBSUB_DSN is used, else PGHOST, PGPORT, PGDATABASE, PGUSER and so on, as\n"
    "with psql.\n"
    "\n"
    "Exit status: 0 if it worked (a listener ended by SIGTERM, SIGINT or SIGHUP\n"
    "finishes what it has in hand and exits with 0), 1 if it failed (with --drain:\n"
    "also if a notification failed), 2 if the command line is wrong.";

void add_dsn(CLI::App& app, std::string& dsn) {
    app.add_option("--dsn", dsn, "where to connect to: \"host=… dbname=…\" or postgresql://…")
        ->envname("PGPUBSUB_DSN")
        ->type_name("DSN");
    app.footer(footer);
}

CLI::Option* add_channel(CLI::App& app, std::string& channel) {
    return app.add_option("channel", channel, "an existing channel")->required()->type_name("CHANNEL");
}

CLI::Option* add_json(CLI::App& app, const std::string& name, std::optional<std::string>& target,
                      const std::string& text) {
    return app
        .add_option_function<std::string>(
            name,
            [&target, name](const std::string& value) {
                if (const auto problem = json_problem(value))
                    throw CLI::ValidationError(name, "is not valid JSON: " + *problem);
                target = value;
            },
            text)
        ->type_name("JSON");
}

std::optional<std::string> interval(const std::optional<std::chrono::milliseconds>& time) {
    return time ? std::optional(std::to_string(time->count()) + " milliseconds") : std::nullopt;
}

}  // namespace pgpubsub::cli
