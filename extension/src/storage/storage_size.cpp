#include "storage/storage_size.hpp"

namespace pgpubsub {
namespace {

// Pages that are looked at to estimate how full the others are.
constexpr BlockNumber sample = 1000;

// Number of small rows on a page; of larger rows there are fewer.
constexpr int64 rows_of_page = 60;

constexpr BlockNumber heap_free_pages = 256;
constexpr BlockNumber index_free_pages = 64;

// An index whose rows are added at one end and removed at the other keeps half-empty pages; a new index has 10 percent
// to spare.
constexpr double index_fill = 0.9;

// Returns the bytes of an entry: its header, its line pointer and its columns. The size of a text is a guess.
Size entry_bytes(Relation index) {
    constexpr Size text_bytes = 48;
    Size bytes = sizeof(IndexTupleData) + sizeof(ItemIdData);
    for (int i = 0; i < RelationGetNumberOfAttributes(index); ++i) {
        const int16 length = TupleDescAttr(RelationGetDescr(index), i)->attlen;
        bytes += length > 0 ? length : text_bytes;
    }
    return MAXALIGN(bytes);
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
    // An index that is not valid belongs to a user who failed to make it: that user drops it or makes it anew.
    if (index->rd_rel->reltuples < 0 || !index->rd_index->indisvalid)
        return {pages, pages, index_free_pages};
    const double entries = index->rd_rel->reltuples + growth;
    const double needed = entries * entry_bytes(index) / (BLCKSZ * index_fill);
    return {pages, static_cast<BlockNumber>(needed) + 2, index_free_pages};
}

int64 growth_of(Relation heap) {
    const Oid table = RelationGetRelid(heap);
    const int64 counted =
        dead_rows(table) + Max(live_rows(table) - static_cast<int64>(Max(heap->rd_rel->reltuples, 0)), 0);
    // A session reports its counts only when it is idle; until then, the file shows that there are more rows.
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
