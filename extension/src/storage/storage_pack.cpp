#include "storage/storage_pack.hpp"

#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "queue/notification.hpp"
#include "storage/storage_size.hpp"
#include "wakeup/wakeup.hpp"

namespace pgpubsub {
namespace {

// Time for which a step looks at pages or moves rows, in milliseconds; and number of pages between two looks at the
// clock.
constexpr double step_ms = 20;
constexpr BlockNumber pages_between_looks = 32;
constexpr int64 rows_of_step = 500;

class stop_watch {
public:
    stop_watch() { INSTR_TIME_SET_CURRENT(begun_); }
    bool is_over() const {
        instr_time passed;
        INSTR_TIME_SET_CURRENT(passed);
        INSTR_TIME_SUBTRACT(passed, begun_);
        return INSTR_TIME_GET_MILLISEC(passed) > step_ms;
    }

private:
    instr_time begun_;
};

// A page that holds anything, dead or not, is not empty: an index may still point to it.
bool is_empty(Relation table, BlockNumber block, BufferAccessStrategy strategy) {
    const Buffer buffer = ReadBufferExtended(table, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    bool empty = true;
    if (!PageIsNew(page) && !PageIsEmpty(page))
        for (OffsetNumber i = FirstOffsetNumber; empty && i <= PageGetMaxOffsetNumber(page); i = OffsetNumberNext(i))
            empty = !ItemIdIsUsed(PageGetItemId(page, i));
    UnlockReleaseBuffer(buffer);
    return empty;
}

// Lists the places on a page that hold a row version, dead or not. Returns how many.
int rows_of_page(Relation table, BlockNumber block, std::span<ItemPointerData> places) {
    const Buffer buffer = ReadBuffer(table, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    int count = 0;
    if (!PageIsNew(page))
        for (OffsetNumber i = FirstOffsetNumber; i <= PageGetMaxOffsetNumber(page); i = OffsetNumberNext(i))
            if (ItemIdIsNormal(PageGetItemId(page, i))) {
                ItemPointerSet(&places[count], block, i);
                ++count;
            }
    UnlockReleaseBuffer(buffer);
    return count;
}

// Moves one row as deleting and publishing it would, but keeps its id. The row goes to the relation's target page.
bool move_row(notification_table& table, ItemPointer place, TupleTableSlot* slot) {
    if (!table_tuple_fetch_row_version(table.heap(), place, GetActiveSnapshot(), slot))
        return false;
    const row_values row = row_values::of(slot);
    // A waiting session with an older snapshot skips this row; therefore it must look again.
    subscription s;
    channel c;
    if (find_subscription(DatumGetInt32(row.get(column::subscription_id)), &s) && find_channel(s.channel_id, &c))
        wake_consumers(c);
    if (table.remove(place, false) != TM_Ok)
        return false;
    table.insert_again(row, place);
    return true;
}

}  // namespace

BlockNumber cut_off_end(Oid table) {
    LockRelationOid(table, AccessExclusiveLock);
    const stop_watch watch;
    const Relation rel = try_table_open(table, NoLock);
    if (rel == nullptr)
        return 0;
    const BufferAccessStrategy strategy = GetAccessStrategy(BAS_VACUUM);
    const BlockNumber pages = RelationGetNumberOfBlocks(rel);
    BlockNumber keep = pages;
    while (keep > 0 && is_empty(rel, keep - 1, strategy)) {
        --keep;
        if (keep % pages_between_looks == 0 && watch.is_over())
            break;
    }
    if (keep < pages)
        RelationTruncate(rel, keep);
    table_close(rel, NoLock);
    return pages - keep;
}

int64 move_rows_off_end() {
    LockRelationOid(our_catalog().notification, AccessExclusiveLock);
    const stop_watch watch;
    PushActiveSnapshot(GetLatestSnapshot());
    notification_table table = notification_table::open();
    TupleTableSlot* const slot = table_slot_create(table.heap(), nullptr);
    const storage_size size = size_of_heap(table.heap());
    BlockNumber target = 0;
    ItemPointerData places[MaxHeapTuplesPerPage];
    int64 moved = 0;
    bool has_room = true;
    for (BlockNumber block = size.pages;
         has_room && moved < rows_of_step && !watch.is_over() && block > 2 * size.needed_pages;) {
        const int count = rows_of_page(table.heap(), --block, places);
        for (int i = 0; has_room && i < count; ++i) {
            while (target < block && GetRecordedFreeSpace(table.heap(), target) < BLCKSZ / 4)
                ++target;
            has_room = target < block;
            if (!has_room)
                break;
            RelationSetTargetBlock(table.heap(), target);
            moved += move_row(table, &places[i], slot);
            if (RelationGetTargetBlock(table.heap()) != target)
                ++target;  // the page was fuller than recorded
        }
    }
    ExecDropSingleTupleTableSlot(slot);
    table.close();
    PopActiveSnapshot();
    return moved;
}

}  // namespace pgpubsub
