// The settings: which values they accept, and notification_context, which is parsed once for each of its values.
//
// A check hook must not report an ERROR of its own making, because it also runs for configuration files and ALTER ROLE.
// So it only looks: PostgreSQL's JSON parser, which returns its errors, checks the syntax, and json_text.hpp finds what
// jsonb refuses. A value that a file, a role or a database sets is judged alike in the postmaster and in every session.
// The value is converted when a notification first needs it. The result is kept until the assign hook says that the
// value has changed.
#include "pg/settings.hpp"

#include <climits>

#include "pg/compat.hpp"
#include "pure/json_text.hpp"
#include "pure/limits.hpp"

namespace pgpubsub {
namespace {

constexpr int db_version_unset = -1;

int lease_scope_setting = static_cast<int>(lease_scope_mode::session);
int wakeup_setting = static_cast<int>(wakeup_mode::automatic);
int wakeup_delay_setting = 2;
bool is_preloaded = false;
int db_version_setting = db_version_unset;
int shared_channels_setting = 10'000;
int max_skip_time_setting = 10'000;
int max_join_time_setting = 1000;
int max_workers_setting = 0;
int storage_interval_setting = 10'000;
char* context_setting = nullptr;

Jsonb* context_parsed = nullptr;
bool context_stale = true;

const config_enum_entry wakeup_options[] = {
    {"auto", static_cast<int>(wakeup_mode::automatic), false},
    {"worker", static_cast<int>(wakeup_mode::worker), false},
    {"transaction", static_cast<int>(wakeup_mode::transaction), false},
    {"off", static_cast<int>(wakeup_mode::off), false},
    {nullptr, 0, false},
};

const config_enum_entry lease_scope_options[] = {
    {"session", static_cast<int>(lease_scope_mode::session), false},
    {"time", static_cast<int>(lease_scope_mode::time), false},
    {nullptr, 0, false},
};

bool check_wakeup(int* value, void**, GucSource) {
    if (*value != static_cast<int>(wakeup_mode::worker) || is_preloaded)
        return true;
    GUC_check_errdetail("There is a worker only where the library is preloaded.");
    GUC_check_errhint("Add pgpubsub to shared_preload_libraries and restart the server, or choose auto.");
    return false;
}

bool starts_like_object(std::string_view json) {
    const std::size_t first = json.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && json[first] == '{';
}

// Returns whether jsonb can hold the text, of valid syntax, in a database of that encoding.
bool fits_jsonb(std::string_view json, bool utf8) {
    return json_text_fits_jsonb(json, utf8, max_jsonb_bytes, max_jsonb_depth);
}

// A value of a configuration file, a role or a database is for databases of any encoding. The postmaster knows no
// encoding, and hands the value to all sessions. So such a value is refused only if no database could use it. A value
// that the session itself sets is checked for its own database.
bool check_context(char** value, void**, GucSource source) {
    const std::string_view json = *value == nullptr ? "" : *value;
    if (json.empty())
        return true;
    const bool for_any_encoding = source != PGC_S_SESSION || !OidIsValid(MyDatabaseId);
    // This check comes first: it also keeps the parser, which recurses, from running out of stack.
    if (!fits_jsonb(json, for_any_encoding || GetDatabaseEncoding() == PG_UTF8)) {
        GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
        GUC_check_errdetail("It holds a number, an escape or a nesting that jsonb cannot store in this database.");
        return false;
    }
    if (const char* const problem = json_syntax_error(json)) {
        GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
        GUC_check_errdetail("It is not valid JSON: %s", problem);
        GUC_check_errhint("Set it to a JSON object, such as {\"user\": 42}, or to an empty string.");
        return false;
    }
    if (!starts_like_object(json)) {
        GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
        GUC_check_errdetail("It is valid JSON, but not an object.");
        GUC_check_errhint("Set it to a JSON object, such as {\"user\": 42}, or to an empty string.");
        return false;
    }
    return true;
}

// Returns the setting, or an empty object if the setting is empty or its value can't be used in this database.
const char* usable_context() {
    const std::string_view json = context_setting == nullptr ? "" : context_setting;
    if (json.empty())
        return "{}";
    // A configuration file can hold any bytes.
    if (fits_jsonb(json, GetDatabaseEncoding() == PG_UTF8) &&
        pg_verify_mbstr(GetDatabaseEncoding(), json.data(), static_cast<int>(json.size()), true))
        return context_setting;
    ereport(WARNING, errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
            errmsg("the value of parameter \"pgpubsub.notification_context\" cannot be used in this database"),
            errdetail("It holds an escape or a character that the encoding \"%s\" does not have. Captured changes "
                      "carry an empty context.",
                      GetDatabaseEncodingName()),
            errhint("Set another one for this database, with ALTER DATABASE."));
    return "{}";
}

void assign_context(const char*, void*) { context_stale = true; }

// The value that a setting was given, and that was not reset, before the library was loaded. At that time PostgreSQL
// takes any value. If the value is refused when the library is loaded, PostgreSQL warns, but does not say which value
// holds instead.
class given_before {
public:
    explicit given_before(const char* name) : name_(name) {
        const char* const value = GetConfigOption(name, true, false);
        text_ = value == nullptr || *value == '\0' ? nullptr : pstrdup(value);
    }
    void tell_if_refused(bool holds) const {
        if (text_ != nullptr && !holds)
            ereport(WARNING, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("parameter \"%s\" is \"%s\" in this session", name_, GetConfigOption(name_, false, false)),
                    errdetail("Its value \"%.100s\", given before the library was loaded, was refused.", text_));
    }
    // Returns whether the setting has taken the value.
    bool is(const char* value) const { return text_ != nullptr && strcmp(text_, value == nullptr ? "" : value) == 0; }
    bool is_word(const char* value) const { return text_ != nullptr && pg_strcasecmp(text_, value) == 0; }
    bool is_number(int value, int unit) const {
        int number;
        return text_ != nullptr && parse_int(text_, &number, unit, nullptr) && number == value;
    }

private:
    const char* name_;
    const char* text_;
};
static_assert(survives_longjmp<given_before>);

const char* word_of(const config_enum_entry* options, int value) {
    while (options->val != value)
        ++options;
    return options->name;
}

}  // namespace

void define_settings() {
    is_preloaded = process_shared_preload_libraries_in_progress;
    const given_before wakeup_given("pgpubsub.wakeup");
    const given_before lease_scope_given("pgpubsub.lease_scope");
    const given_before db_version_given("pgpubsub.db_version");
    const given_before context_given("pgpubsub.notification_context");
    const given_before max_skip_time_given("pgpubsub.max_skip_time");
    const given_before max_join_time_given("pgpubsub.max_join_time");
    const given_before wakeup_delay_given("pgpubsub.wakeup_delay");
    const given_before shared_channels_given("pgpubsub.shared_channels");
    const given_before storage_interval_given("pgpubsub.storage_interval");
    const given_before max_workers_given("pgpubsub.max_workers");
    DefineCustomEnumVariable(
        "pgpubsub.wakeup", "How a transaction that publishes wakes the consumers.",
        "auto: the worker where there is one, else transaction; worker: a background worker sends NOTIFY "
        "after the commit; transaction: NOTIFY at commit; off: consumers find the work when they poll.",
        &wakeup_setting, static_cast<int>(wakeup_mode::automatic), wakeup_options, PGC_USERSET, 0, check_wakeup,
        nullptr, nullptr);
    DefineCustomIntVariable("pgpubsub.wakeup_delay",
                            "How long the worker may collect hints before it sends the next ones.",
                            "The first hint after a pause is sent at once.", &wakeup_delay_setting, 2, 0, 1000,
                            PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    // The setting is known without preload too, though it has no effect there. So it may stay in postgresql.conf, or be
    // set before the restart.
    DefineCustomIntVariable("pgpubsub.shared_channels",
                            "How many channels and subscriptions shared memory has room for.",
                            "Those beyond are served too, but less exactly.", &shared_channels_setting, 10'000, 16,
                            10'000'000, is_preloaded ? PGC_POSTMASTER : PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable(
        "pgpubsub.lease_scope", "What ends a lease that is neither acked nor extended.",
        "session: its time is over, or the session that claimed or last extended it is gone; time: its time is over.",
        &lease_scope_setting, static_cast<int>(lease_scope_mode::session), lease_scope_options, PGC_USERSET, 0, nullptr,
        nullptr, nullptr);
    DefineCustomIntVariable("pgpubsub.db_version", "The version of the schema that notifications are stamped with.",
                            "-1 stamps none.", &db_version_setting, db_version_unset, db_version_unset, INT_MAX,
                            PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pgpubsub.storage_interval",
                            "How often the worker looks whether the notifications take more space than they need.",
                            "0 leaves that to autovacuum.", &storage_interval_setting, 10'000, 0, 3'600'000, PGC_SIGHUP,
                            GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "pgpubsub.max_workers",
        "How many places of max_worker_processes the workers and the processes that pack take at most.",
        "0 is half of them.", &max_workers_setting, 0, 0, 1024, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pgpubsub.notification_context",
                               "A JSON object that captured changes carry as their \"context\".",
                               "An empty string stands for an empty object.", &context_setting, "", PGC_USERSET, 0,
                               check_context, assign_context, nullptr);
    DefineCustomIntVariable("pgpubsub.max_skip_time",
                            "Without preload, the longest time for which claims may pass over a notification that they "
                            "have no reason to expect.",
                            "0 makes each claim look at the whole index.", &max_skip_time_setting, 10'000, 0, INT_MAX,
                            PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "pgpubsub.max_join_time",
        "The time after which a notification that waits, and was joined by its dedup_key, is not joined again.",
        "-1 joins it for as long as it waits.", &max_join_time_setting, 1000, -1, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
        nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("pgpubsub");
    wakeup_given.tell_if_refused(wakeup_given.is_word(word_of(wakeup_options, wakeup_setting)));
    lease_scope_given.tell_if_refused(lease_scope_given.is_word(word_of(lease_scope_options, lease_scope_setting)));
    db_version_given.tell_if_refused(db_version_given.is_number(db_version_setting, 0));
    context_given.tell_if_refused(context_given.is(context_setting));
    max_skip_time_given.tell_if_refused(max_skip_time_given.is_number(max_skip_time_setting, GUC_UNIT_MS));
    max_join_time_given.tell_if_refused(max_join_time_given.is_number(max_join_time_setting, GUC_UNIT_MS));
    wakeup_delay_given.tell_if_refused(wakeup_delay_given.is_number(wakeup_delay_setting, GUC_UNIT_MS));
    shared_channels_given.tell_if_refused(shared_channels_given.is_number(shared_channels_setting, 0));
    storage_interval_given.tell_if_refused(storage_interval_given.is_number(storage_interval_setting, GUC_UNIT_MS));
    max_workers_given.tell_if_refused(max_workers_given.is_number(max_workers_setting, 0));
}

lease_scope_mode lease_scope() { return static_cast<lease_scope_mode>(lease_scope_setting); }
wakeup_mode wakeup() { return static_cast<wakeup_mode>(wakeup_setting); }
int wakeup_delay() { return wakeup_delay_setting; }
int shared_channels() { return shared_channels_setting; }

int max_skip_time() { return max_skip_time_setting; }

int max_join_time() { return max_join_time_setting; }

int max_workers() { return max_workers_setting; }

int storage_interval() { return storage_interval_setting; }

optional_int db_version() { return {db_version_setting != db_version_unset, db_version_setting}; }

const Jsonb* notification_context() {
    if (context_stale) {
        const Datum value = DirectFunctionCall1(jsonb_in, CStringGetDatum(usable_context()));
        // Only the result is kept for the session, and nothing else that the parser allocated.
        Jsonb* const parsed =
            with_context(TopMemoryContext, [value] { return DatumGetJsonbP(datumCopy(value, false, -1)); });
        if (context_parsed != nullptr)
            pfree(context_parsed);
        context_parsed = parsed;
        context_stale = false;
    }
    return context_parsed;
}

}  // namespace pgpubsub
