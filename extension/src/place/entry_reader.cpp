#include "pg/compat.hpp"
#include "place/entry_reader.hpp"

namespace pgpubsub {
namespace {

// Returns PostgreSQL's own answer, as VACUUM gets it. It knows what this transaction has done, and may yet undo.
bool is_version_gone(TupleTableSlot* slot) {
    if (!TTS_IS_BUFFERTUPLE(slot))
        return false;
    const auto* const row = reinterpret_cast<BufferHeapTupleTableSlot*>(slot);
    TransactionId dead_after;
    LockBuffer(row->buffer, BUFFER_LOCK_SHARE);
    const HTSV_Result state = HeapTupleSatisfiesVacuumHorizon(row->base.tuple, row->buffer, &dead_after);
    LockBuffer(row->buffer, BUFFER_LOCK_UNLOCK);
    return state == HEAPTUPLE_DEAD || state == HEAPTUPLE_RECENTLY_DEAD;
}

}  // namespace

void entry_reader::open() {
    if (fetch_ != nullptr)
        return;
    fetch_ = begin_index_fetch(heap_);
    slot_ = table_slot_create(heap_, nullptr);
}

void entry_reader::end() {
    if (fetch_ == nullptr)
        return;
    table_index_fetch_end(fetch_);
    ExecDropSingleTupleTableSlot(slot_);
    fetch_ = nullptr;
}

bool entry_reader::is_gone(const ItemPointerData& pointer) {
    bool gone = true;
    read(pointer, SnapshotAny, [&gone](TupleTableSlot* slot) { gone = gone && is_version_gone(slot); });
    return gone;
}

}  // namespace pgpubsub
