// Guarantee of an estimate: at 10 million entries it reads some hundred pages, most of them of the index's upper
// levels.
//
// Steps:
// 1. Go down from the root to the level above the leaves.
// 2. Walk the pages there that hold the key. Count their children, the leaves, and keep an even sample of them.
// 3. In each sampled leaf, count the entries with the key, and look at the rows of a few: only rows that the snapshot
//    sees count. Without this step, a queue whose rows were just taken would look full until it is vacuumed.
//
// Others may change the index at any time, and only one page is locked at a time. If a page was split after its link
// was read, the part that moved right is hidden. At the upper levels, the links to the right are followed; at the
// leaves, the missing part belongs to the error of the estimate. A deleted page is not reused while an older snapshot,
// ours, exists; its link to the right still holds.
#include "stat/index_count.hpp"

#include <climits>
#include <span>

#include "pg/bounded_scan.hpp"
#include "pg/compat.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {
namespace {

// Largest sample, in leaves. If there are more leaves, the sample has at least half of this number.
constexpr int max_sampled_leaves = 128;
constexpr int sampled_rows_per_leaf = 16;

// A range of up to this many leaves may hold few rows, and walking it takes no longer than sampling it.
constexpr int64 short_range_leaves = 256;
// A longer range is walked only if a sample promises few rows. The limit excludes ranges so long that skipping their
// pages alone takes time, even if all their entries are known to belong to removed rows.
constexpr int64 long_range_leaves = 10'000;

// Bounds of a page's keys. They are wider than the column's type, so that these two values lie outside of it.
constexpr int64 before_all_keys = PG_INT64_MIN;
constexpr int64 after_all_keys = PG_INT64_MAX;

// A page of the index, pinned and locked against writers. Until close(), nothing is allocated, and nothing is waited
// for.
class locked_page {
public:
    static locked_page open(Relation index, BlockNumber block) {
        locked_page p;
        p.index_ = index;
        p.buffer_ = ReadBuffer(index, block);
        LockBuffer(p.buffer_, BT_READ);
        p.page_ = BufferGetPage(p.buffer_);
        return p;
    }
    void close() const { UnlockReleaseBuffer(buffer_); }

    // Returns false for a page without content, which a crash may leave; such a page has no other property.
    bool is_btree_page() const {
        return !PageIsNew(page_) && PageGetSpecialSize(page_) == MAXALIGN(sizeof(BTPageOpaqueData));
    }
    bool is_on_level(uint32 level) const { return opaque()->btpo_level == level; }
    bool is_deleted() const { return P_IGNORE(opaque()); }
    BlockNumber right() const { return opaque()->btpo_next; }

    OffsetNumber first() const { return P_FIRSTDATAKEY(opaque()); }
    OffsetNumber last() const { return PageGetMaxOffsetNumber(page_); }
    ItemId item(OffsetNumber offset) const { return PageGetItemId(page_, offset); }
    IndexTuple tuple(OffsetNumber offset) const {
        return reinterpret_cast<IndexTuple>(PageGetItem(page_, item(offset)));
    }
    int32 key(OffsetNumber offset) const {
        bool null;
        return DatumGetInt32(index_getattr(tuple(offset), 1, RelationGetDescr(index_), &null));
    }

    // For an upper level: returns where the keys below an entry end, which is where the keys below the next entry
    // begin.
    int64 keys_end(OffsetNumber offset) const { return offset < last() ? key(offset + 1) : page_end(); }
    int64 page_end() const { return P_RIGHTMOST(opaque()) ? after_all_keys : key(P_HIKEY); }
    BlockNumber child(OffsetNumber offset) const { return BTreeTupleGetDownLink(tuple(offset)); }

    const BTMetaPageData* meta() const { return BTPageGetMeta(page_); }

private:
    BTPageOpaque opaque() const { return BTPageGetOpaque(page_); }

    Relation index_;
    Buffer buffer_;
    Page page_;
};

struct tree_root {
    BlockNumber block;
    uint32 level;
};

tree_root read_root(Relation index) {
    const locked_page page = locked_page::open(index, BTREE_METAPAGE);
    const bool sound = page.is_btree_page() && page.meta()->btm_magic == BTREE_MAGIC;
    const tree_root root = sound ? tree_root{page.meta()->btm_root, page.meta()->btm_level} : tree_root{P_NONE, 0};
    page.close();
    if (!sound)
        ereport(ERROR, errcode(ERRCODE_INDEX_CORRUPTED),
                errmsg("index \"%s\" is not a btree", RelationGetRelationName(index)));
    return root;
}

// The leaves that may hold a key: their number, and an even sample in their order. When the sample is full, every
// second leaf is removed, and from then on only every second leaf is added.
class leaf_pages {
public:
    void add(BlockNumber leaf) {
        if (++count_ % stride_ != 0)
            return;
        if (sampled_ == max_sampled_leaves) {
            for (int i = 0; i < sampled_ / 2; ++i)
                sample_[i] = sample_[2 * i + 1];
            sampled_ /= 2;
            stride_ *= 2;
            if (count_ % stride_ != 0)
                return;
        }
        sample_[sampled_++] = leaf;
    }

    int64 count() const { return count_; }
    std::span<const BlockNumber> sample() const { return {sample_, static_cast<std::size_t>(sampled_)}; }

private:
    int64 count_ = 0;
    int64 stride_ = 1;
    int sampled_ = 0;
    BlockNumber sample_[max_sampled_leaves];
};
static_assert(survives_longjmp<leaf_pages>);

BlockNumber child_with(const locked_page& page, int64 key) {
    OffsetNumber offset = page.first();
    while (offset < page.last() && page.keys_end(offset) < key)
        ++offset;
    return page.child(offset);
}

// Adds the children that may hold the key. `begin` is where the keys of the page begin, and afterwards where the keys
// of the next page begin: an upper page does not store the lower bound of its first child.
void add_children(const locked_page& page, int64 key, int64* begin, leaf_pages* leaves) {
    for (OffsetNumber offset = page.first(); offset <= page.last() && *begin <= key; ++offset) {
        const int64 end = page.keys_end(offset);
        if (end >= key)
            leaves->add(page.child(offset));
        *begin = end;
    }
}

leaf_pages find_leaves(Relation index, int32 key) {
    leaf_pages leaves;
    const tree_root root = read_root(index);
    if (root.level == 0) {
        if (root.block != P_NONE)
            leaves.add(root.block);
        return leaves;
    }
    BlockNumber block = root.block;
    uint32 level = root.level;
    int64 begin = before_all_keys;
    // The number of pages bounds the walk, whatever state the index is in.
    for (BlockNumber pages = RelationGetNumberOfBlocks(index); block != P_NONE && pages > 0; --pages) {
        CHECK_FOR_INTERRUPTS();
        const locked_page page = locked_page::open(index, block);
        if (!page.is_btree_page() || !page.is_on_level(level)) {
            block = P_NONE;
        } else if (page.is_deleted() || page.page_end() < key) {
            block = page.right();
        } else if (level > 1) {
            block = child_with(page, key);
            --level;
        } else {
            add_children(page, key, &begin, &leaves);
            block = begin <= key ? page.right() : P_NONE;
        }
        page.close();
    }
    return leaves;
}

struct leaf_rows {
    int count;
    ItemPointerData tids[MaxTIDsPerBTreePage];
};

// Reads the rows to which the leaf's entries with the key point, except entries of rows that are known to be removed.
void read_leaf(Relation index, BlockNumber block, int32 key, leaf_rows* rows) {
    rows->count = 0;
    const locked_page page = locked_page::open(index, block);
    if (page.is_btree_page() && page.is_on_level(0) && !page.is_deleted()) {
        for (OffsetNumber offset = page.first(); offset <= page.last(); ++offset) {
            if (ItemIdIsDead(page.item(offset)) || page.key(offset) != key)
                continue;
            const IndexTuple tuple = page.tuple(offset);
            const bool is_list = BTreeTupleIsPosting(tuple);
            const int listed = is_list ? BTreeTupleGetNPosting(tuple) : 1;
            for (int i = 0; i < listed && rows->count < int{MaxTIDsPerBTreePage}; ++i)
                rows->tids[rows->count++] = is_list ? *BTreeTupleGetPostingN(tuple, i) : tuple->t_tid;
        }
    }
    page.close();
}

// Returns a place in the i-th of n equal parts of `count` entries: any place, but always the same one. If the places
// were equally far apart, a property of every fourth row could be found in all rows of the sample or in none.
int sampled_place(BlockNumber leaf, int i, int n, int count) {
    const int begin = i * count / n;
    const int end = (i + 1) * count / n;
    return begin + static_cast<int>(murmurhash32(leaf * n + i) % (end - begin));
}

int64 count_leaves(Oid index_oid, int32 key) {
    const Relation index = index_open(index_oid, AccessShareLock);
    const int64 count = find_leaves(index, key).count();
    index_close(index, NoLock);
    return count;
}

double estimate_rows(Relation heap, Oid index, int32 key, Snapshot snapshot) {
    double rows = 0;
    auto add = [&rows](TupleTableSlot*, double stands_for) { rows += stands_for; };
    sample_rows(heap, index, key, snapshot, add);
    return rows;
}

// Counts the rows one by one. Returns false if they are too many, or lie among too many entries of removed rows.
bool walk_rows(Relation heap, Oid index, int32 key, Snapshot snapshot, double* rows) {
    ScanKeyData first_column = equals_int4(1, key);
    bounded_scan scan = bounded_scan::begin(heap, index, snapshot, {&first_column, 1}, walked_entries_limit);
    int64 count = 0;
    while (count <= exact_limit && scan.next())
        ++count;
    const bool complete = count <= exact_limit && !scan.was_cut();
    scan.end();
    *rows = double(count);
    return complete;
}

}  // namespace

void sample_rows(Relation heap, Oid index_oid, int32 key, Snapshot snapshot, row_visitor visit) {
    const Relation index = index_open(index_oid, AccessShareLock);
    const leaf_pages leaves = find_leaves(index, key);
    auto* const rows = static_cast<leaf_rows*>(palloc(sizeof(leaf_rows)));
    TupleTableSlot* const slot = table_slot_create(heap, nullptr);
    IndexFetchTableData* const fetch = begin_index_fetch(heap);
    for (const BlockNumber leaf : leaves.sample()) {
        CHECK_FOR_INTERRUPTS();
        read_leaf(index, leaf, key, rows);
        const int chosen = Min(rows->count, sampled_rows_per_leaf);
        for (int i = 0; i < chosen; ++i) {
            ItemPointerData tid = rows->tids[sampled_place(leaf, i, chosen, rows->count)];
            bool more_versions = false;  // of these at most one is visible
            if (table_index_fetch_tuple(fetch, &tid, snapshot, slot, &more_versions, nullptr))
                visit(slot, double(leaves.count()) / leaves.sample().size() * rows->count / chosen);
        }
    }
    table_index_fetch_end(fetch);
    ExecDropSingleTupleTableSlot(slot);
    pfree(rows);
    index_close(index, NoLock);
}

bool is_short_range(Oid index, int32 key) { return count_leaves(index, key) <= short_range_leaves; }

row_count count_rows(Relation heap, Oid index, int32 key, Snapshot snapshot) {
    const int64 leaves = count_leaves(index, key);
    double rows;
    if (leaves <= short_range_leaves && walk_rows(heap, index, key, snapshot, &rows))
        return {rows, true};
    const double estimate = estimate_rows(heap, index, key, snapshot);
    if (leaves > short_range_leaves && leaves <= long_range_leaves && estimate <= exact_limit &&
        walk_rows(heap, index, key, snapshot, &rows))
        return {rows, true};
    return {estimate, false};
}

}  // namespace pgpubsub
