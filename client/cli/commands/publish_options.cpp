// The command line of `pgpubsub publish`.

#include <memory>

#include "commands/publish.hpp"
#include "options/options.hpp"
#include "options/subcommand.hpp"

namespace pgpubsub::cli {

namespace {

void check(const publish_settings& s) {
    if (s.replace && !s.dedup_key)
        throw CLI::ValidationError("--replace", "needs --dedup-key");
    if (s.lines && s.payload && *s.payload != "-")
        throw CLI::ValidationError("--lines", "reads the payloads from stdin; leave the payload out");
    if (s.lines && s.dedup_key)
        throw CLI::ValidationError("--lines", "excludes --dedup-key");
    if (s.headers && (*s.headers)[s.headers->find_first_not_of(" \t\n\r")] != '{')
        throw CLI::ValidationError("--headers", "must be a JSON object, such as {\"trace\": \"a1\"}");
}

}  // namespace

subcommand add_publish(CLI::App& app) {
    auto settings = std::make_shared<publish_settings>();
    auto& s = *settings;
    auto* publish_app = app.add_subcommand("publish", "store a notification, or one for each line, and print its id");
    add_channel(*publish_app, s.channel);
    publish_app->add_option("payload", s.payload, "the payload; - or none: read it from stdin")->type_name("JSON");
    publish_app->add_option("--key", s.key, "the key")->type_name("TEXT");
    add_json(*publish_app, "--headers", s.headers, "an object with headers");
    publish_app->add_option("--deliver-at", s.deliver_at, "not before this time, as PostgreSQL reads it")
        ->type_name("TIME");
    publish_app->add_option("--priority", s.priority, "higher ones are delivered first")
        ->check(CLI::Range(-32768, 32767))
        ->capture_default_str()
        ->type_name("N");
    publish_app
        ->add_option("--dedup-key", s.dedup_key,
                     "store nothing while one with this key waits, and print its id instead")
        ->type_name("TEXT");
    publish_app->add_flag("--replace", s.replace, "with --dedup-key: the one that waits gets this payload");
    publish_app->add_flag("--lines", s.lines, "each line on stdin is a payload; print an id for each");
    add_dsn(*publish_app, s.dsn);
    return {publish_app, [settings] { check(*settings); }, [settings] { return publish(*settings); }};
}

}  // namespace pgpubsub::cli
