#include "queue/archive.hpp"

#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "pg/interval.hpp"

namespace pgpubsub {
namespace {

// Copies the columns that both tables and a notification have.
void copy_common(const row_values& row, Datum* values, bool* nulls) {
    constexpr struct {
        AttrNumber to;
        AttrNumber from;
    } columns[] = {
        {archive_column::id, column::id},
        {archive_column::created_at, column::created_at},
        {archive_column::subscription_id, column::subscription_id},
        {archive_column::priority, column::priority},
        {archive_column::attempts, column::attempts},
        {archive_column::payload, column::payload},
        {archive_column::key, column::key},
        {archive_column::headers, column::headers},
        {archive_column::db_version, column::db_version},
        {archive_column::deliver_at, column::deliver_at},
    };
    for (const auto& c : columns) {
        values[c.to - 1] = row.get(c.from);
        nulls[c.to - 1] = row.is_null(c.from);
    }
    values[archive_column::archived_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
    nulls[archive_column::archived_at - 1] = false;
}

Relation open_processed() {
    return open_our_table(our_catalog().processed, RowExclusiveLock, archive_column::processed_count);
}

}  // namespace

void store_dead_letter(const row_values& row, const text* error) {
    Datum values[archive_column::dead_letter_count];
    bool nulls[archive_column::dead_letter_count];
    copy_common(row, values, nulls);
    constexpr int last_error = archive_column::last_error - 1;
    values[last_error] = error != nullptr ? PointerGetDatum(error) : row.get(column::last_error);
    nulls[last_error] = error == nullptr && row.is_null(column::last_error);
    insert_row(our_catalog().dead_letter, values, nulls);
}

processed_place store_processed(const row_values& row) {
    Datum values[archive_column::processed_count];
    bool nulls[archive_column::processed_count];
    copy_common(row, values, nulls);
    const Relation rel = open_processed();
    const processed_place place = {insert_row(our_catalog().processed, values, nulls), rel->rd_rel->relfilenode};
    table_close(rel, NoLock);
    return place;
}

void forget_processed(const processed_place& place, int32 subscription_id, int64 id) {
    const Relation rel = open_processed();
    TupleTableSlot* const slot = table_slot_create(rel, nullptr);
    ItemPointerData tid = place.tid;
    bool null;
    // If the history is kept for a moment only, this transaction may have swept the row already. Or the transaction has
    // truncated the table twice: then the file is the same, but not its contents.
    if (place.file == rel->rd_rel->relfilenode && fetch_if_there(rel, tid, SnapshotSelf, slot) &&
        DatumGetInt64(slot_getattr(slot, archive_column::id, &null)) == id &&
        DatumGetInt32(slot_getattr(slot, archive_column::subscription_id, &null)) == subscription_id)
        simple_heap_delete(rel, &tid);
    ExecDropSingleTupleTableSlot(slot);
    table_close(rel, NoLock);
}

plain_scan scan_dead_letters(int32 subscription_id) {
    ScanKeyData keys[] = {equals_int4(archive_column::subscription_id, subscription_id)};
    return plain_scan::begin(our_catalog().dead_letter, archive_column::dead_letter_count, our_catalog().dead_letter_id,
                             keys);
}

plain_scan scan_dead_letter(int32 subscription_id, int64 id) {
    ScanKeyData keys[] = {equals_int4(archive_column::subscription_id, subscription_id),
                          equals_int8(archive_column::id, id)};
    return plain_scan::begin(our_catalog().dead_letter, archive_column::dead_letter_count, our_catalog().dead_letter_id,
                             keys);
}

int64 sweep_processed(const subscription& s, sweep_limits limits, TimestampTz* from) {
    const Relation rel = open_processed();
    const int64 swept =
        sweep_rows(rel, our_catalog().processed_at, s.id, later_by(GetCurrentTimestamp(), -s.history), limits, from);
    table_close(rel, NoLock);
    return swept;
}

int64 remove_archives(int32 subscription_id, bool wait) {
    const int64 dead = remove_rows(scan_dead_letters(subscription_id), wait);
    ScanKeyData keys[] = {equals_int4(archive_column::subscription_id, subscription_id)};
    return dead + remove_rows(plain_scan::begin(our_catalog().processed, archive_column::processed_count,
                                                our_catalog().processed_at, keys),
                              wait);
}

}  // namespace pgpubsub
