#include "storage_size.hpp"

namespace pgpubsub {
namespace {

// How many pages are looked at to learn how full the others are.
constexpr BlockNumber sample = 1000;

// Of small rows; where they are larger there are fewer.
constexpr int64 rows_of_page = 60;

constexpr BlockNumber heap_free_pages = 256;
constexpr BlockNumber index_free_pages = 64;

// An index of rows that come at one end and go at the other keeps half-empty pages; a new one has 10 percent to spare.
constexpr double index_fill = 0.9;

// Of an entry: its header and line pointer, and the columns. What a text takes is a guess.
Size entry_bytes(Relation index) {
    constexpr Size text_bytes = 48;
    Size bytes = sizeof(IndexTupleData) + sizeof(ItemIdData);
    for (int i = 0; i < RelationGetNumberOfAttributes(index); ++i) {
        const int16 length = TupleDescAttr(RelationGetDescr(index), i)->attlen;
        bytes += length > 0 ? length : text_bytes;
    }
    return MAXALIGN(bytes);
}

// "…_ccnew", "…_ccold", and with a number where there is one already.
bool is_made_by_reindex(std::string_view name) {
    name.remove_suffix(name.size() - 1 - name.find_last_not_of("0123456789"));
    return name.ends_with("_ccnew") || name.ends_with("_ccold");
}

}  // namespace

storage_size size_of_heap(Relation heap) {
    const BlockNumber pages = RelationGetNumberOfBlocks(heap);
    const BlockNumber step = pages / sample + 1;
    uint64 used_bytes = 0;
    BlockNumber seen = 0;
    for (BlockNumber page = 0; page < pages; page += step) {
        used_bytes += BLCKSZ - Min(GetRecordedFreeSpace(heap, page), static_cast<Size>(BLCKSZ));
        ++seen;
    }
    const double fill = seen == 0 ? 0 : static_cast<double>(used_bytes) / seen / BLCKSZ;
    return {pages, static_cast<BlockNumber>(pages * fill), heap_free_pages};
}

storage_size size_of_index(Relation index, int64 growth) {
    const BlockNumber pages = RelationGetNumberOfBlocks(index);
    if (index->rd_rel->reltuples < 0)
        return {pages, pages, index_free_pages};
    const double entries = index->rd_rel->reltuples + growth;
    const double needed = entries * entry_bytes(index) / (BLCKSZ * index_fill);
    return {pages, static_cast<BlockNumber>(needed) + 2, index_free_pages};
}

int find_left_over_indexes(Relation heap, std::span<NameData> names) {
    // The list that the relation cache has lacks those that were about to be dropped.
    const Relation indexes = table_open(IndexRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RelationGetRelid(heap)));
    const SysScanDesc scan = systable_beginscan(indexes, IndexIndrelidIndexId, true, nullptr, 1, &key);
    std::size_t count = 0;
    HeapTuple tuple;
    while (count < names.size() && HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const auto* const index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
        const char* const name = index->indisvalid ? nullptr : get_rel_name(index->indexrelid);
        if (name != nullptr && is_made_by_reindex(name))
            namestrcpy(&names[count++], name);
    }
    systable_endscan(scan);
    table_close(indexes, AccessShareLock);
    return static_cast<int>(count);
}

int64 growth_of(Relation heap) {
    const Oid table = RelationGetRelid(heap);
    const int64 counted = dead_rows(table) + Max(live_rows(table) - static_cast<int64>(Max(heap->rd_rel->reltuples, 0)), 0);
    // A session tells what it has done only when it is idle: until then the file tells that there are more rows.
    const int64 new_pages = static_cast<int64>(RelationGetNumberOfBlocks(heap)) - heap->rd_rel->relpages;
    return Max(counted, new_pages * rows_of_page);
}

int64 dead_rows(Oid table) {
    return DatumGetInt64(DirectFunctionCall1(pg_stat_get_dead_tuples, ObjectIdGetDatum(table)));
}
int64 live_rows(Oid table) {
    return DatumGetInt64(DirectFunctionCall1(pg_stat_get_live_tuples, ObjectIdGetDatum(table)));
}

}  // namespace pgpubsub
