// Broadcasting, and pgpubsub.read_broadcast().
//
// Guarantee: the message is a NOTIFY of the transaction. So PostgreSQL delivers it at commit, in the order of the
// commits, to every session that listens on the channel, whatever driver the session uses. The id makes each payload of
// NOTIFY different, so that none is taken for a repetition of another.
//
// Steps:
// 1. The envelope is made: a JSON object whose member "pgpubsub" says what it is.
// 2. If NOTIFY can carry the envelope, it is sent.
// 3. Otherwise the envelope is stored, and an envelope that refers to it is sent.
#include "queue/broadcast.hpp"

#include "channel/arguments.hpp"
#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "json/jsonb_writer.hpp"
#include "pg/interval.hpp"
#include "pg/settings.hpp"
#include "place/unstored.hpp"

using namespace pgpubsub;

namespace pgpubsub {
namespace {

// The longest payload that NOTIFY accepts: NOTIFY_PAYLOAD_MAX_LENGTH of async.c, less the byte that ends it.
constexpr int notify_limit = BLCKSZ - NAMEDATALEN - 128 - 1;

// How many expired envelopes are removed when a new one is stored: more than one, so that they don't pile up.
constexpr sweep_limits sweep_per_broadcast = {4, 64};

// The members that an envelope may have, in the order in which jsonb keeps members, and in which they are therefore
// written.
namespace member {
enum { id, key, channel, headers, payload, kind, created_at, db_version, count };
}
constexpr std::string_view member_names[member::count] = {"id",      "key",      "channel",    "headers",
                                                          "payload", "pgpubsub", "created_at", "db_version"};

const Jsonb* whole_envelope(const channel& c, int64 id, const new_notification& n) {
    const optional_int version = db_version();
    const bool included[] = {true, n.key != nullptr, true, n.headers != nullptr, true, true, true, version.has_value};
    char created_at[MAXDATELEN + 1];
    JsonEncodeDateTime(created_at, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), TIMESTAMPTZOID, nullptr);

    jsonb_writer json = jsonb_writer::make();
    json.begin_object(*make_object_shape(member_names), included);
    json.integer(id);
    if (included[member::key])
        json.string(view_of(n.key));
    json.string(c.name);
    if (included[member::headers])
        json.value(n.headers);
    json.value(n.payload);
    json.string("broadcast");
    json.string(created_at);
    if (included[member::db_version])
        json.integer(version.value);
    json.end();
    return json.finish();
}

const Jsonb* reference(const channel& c, int64 id) {
    bool included[member::count] = {};
    included[member::id] = included[member::channel] = included[member::kind] = true;
    jsonb_writer json = jsonb_writer::make();
    json.begin_object(*make_object_shape(member_names), included);
    json.integer(id);
    json.string(c.name);
    json.string("reference");
    json.end();
    return json.finish();
}

char* text_of(const Jsonb* json) {
    return JsonbToCString(nullptr, const_cast<JsonbContainer*>(&json->root), VARSIZE(json));
}

void keep(const channel& c, int64 id, const Jsonb* envelope) {
    const Datum values[] = {Int32GetDatum(c.id), Int64GetDatum(id), JsonbPGetDatum(envelope),
                            TimestampTzGetDatum(later_by(GetCurrentTimestamp(), c.retention))};
    const bool nulls[broadcast_column::count] = {};
    insert_row(our_catalog().broadcast, values, nulls);
    sweep_broadcasts(c, sweep_per_broadcast);
}

// Returns whether the envelope may fit. The text of a jsonb is at least as long as its strings. So an envelope that is
// far too large is not turned into text at all: the text could be more than the server can allocate.
bool may_fit(const Jsonb* envelope) { return VARSIZE(envelope) <= 4 * notify_limit; }

}  // namespace

int64 broadcast(const channel& c, const new_notification& n) {
    const int64 id = draw_id();
    const Jsonb* const envelope = whole_envelope(c, id, n);
    const char* message = may_fit(envelope) ? text_of(envelope) : nullptr;
    if (message == nullptr || strlen(message) > notify_limit) {
        keep(c, id, envelope);
        message = text_of(reference(c, id));
    }
    Async_Notify(c.name, message);
    return id;
}

int64 sweep_broadcasts(const channel& c, sweep_limits limits, TimestampTz* from) {
    const Relation rel = open_our_table(our_catalog().broadcast, RowExclusiveLock, broadcast_column::count);
    const int64 swept = sweep_rows(rel, our_catalog().broadcast_expires_at, c.id, GetCurrentTimestamp(), limits, from);
    table_close(rel, NoLock);
    return swept;
}

int64 remove_broadcasts(int32 channel_id, bool wait) {
    ScanKeyData keys[] = {equals_int4(broadcast_column::channel_id, channel_id)};
    return remove_rows(
        plain_scan::begin(our_catalog().broadcast, broadcast_column::count, our_catalog().broadcast_id, keys), wait);
}

}  // namespace pgpubsub

struct read_broadcast_arguments {
    enum : int { channel, id };
};

PGPUBSUB_FUNCTION(pgpubsub_read_broadcast) {
    using at = read_broadcast_arguments;
    const channel c = get_channel(text_argument(fcinfo, at::channel, "channel"));
    check_privilege(c, GetUserId(), privilege::consume);
    if (c.kind != channel_kind::broadcast)
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("channel \"%s\" is not a broadcast channel", c.name));
    require(fcinfo, at::id, "id");
    // The scan also finds what was published earlier in the same statement.
    CommandCounterIncrement();
    ScanKeyData keys[] = {equals_int4(broadcast_column::channel_id, c.id),
                          equals_int8(broadcast_column::id, PG_GETARG_INT64(at::id))};
    plain_scan scan =
        plain_scan::begin(our_catalog().broadcast, broadcast_column::count, our_catalog().broadcast_id, keys);
    Datum envelope = 0;
    bool found = false;
    if (scan.next()) {
        bool null;
        found = DatumGetTimestampTz(scan.get(broadcast_column::expires_at, &null)) > GetCurrentTimestamp();
        if (found)
            envelope = JsonbPGetDatum(DatumGetJsonbPCopy(scan.get(broadcast_column::envelope, &null)));
    }
    scan.end();
    if (!found)
        PG_RETURN_NULL();
    PG_RETURN_DATUM(envelope);
}
