// What is known of the rows of a key.
//
// Guarantee: a look-up by key misses no row, and need not walk over all entries that the key ever had. While a session
// has an older snapshot, an index keeps the entries of removed rows. A dedup_key that is published again and again, or
// one key of an ordered channel, may have a hundred thousand such entries, in front of the one that counts.
//
// An entry is *gone* when no transaction can make anything of it: its row was never committed, or the transaction that
// removed or replaced the row has committed (entry_reader::is_gone). That stays so. For a key that has many such
// entries, shared memory knows:
// - for the indexes that have the ids too (notification_ordered, notification_held): a number *below* which all entries
//   are gone;
// - for the indexes without ids (notification_dedup, notification_in_flight): the *pointers* of all entries that are
//   not gone, while they are few. Each row in notification_in_flight is in notification_held as well, so these two
//   indexes share what is known of a key.
//
// Rows come in at any time, and some have lower ids than others that are there already: a lease, a row that is given
// back or redriven, a row whose publisher has drawn its id early. A look-up misses none of them:
// 1. *A session that stores a row reports it.* After the row's entry is in the index, and before the transaction can
//    commit, the number is lowered to the row's id, and the row's pointer is added to the others (key_is_stored).
// 2. *A session that learns says so first.* A walk that is to find the number or the pointers begins after
//    begin_learning(). If an entry was in the index by then, the walk meets it. An entry that comes later is reported
//    by 1, before or after the walk has ended. Reports that come meanwhile are kept and added to what the walk has
//    found. So what is known at a moment covers all reports up to then.
// 3. *A number is read after the snapshot was taken* with which the rows are looked for. Each row that the snapshot
//    sees was committed before, so it was reported. If its id is below the number all the same, the row is gone, though
//    the snapshot may not know that yet. The row's newest version, which has the same id, is not in that index any
//    more: it was removed or handed out; or it is leased now, and so is no longer in notification_ordered, but in
//    notification_held. A look-up that passes over the row says what is true now, and no less.
// 4. *Pointers are followed by a dirty snapshot*, one after the other. What is found counts only if nothing was
//    reported meanwhile (is_unchanged). So it is as if all pointers were followed in one moment: no row moves meanwhile
//    to where the list does not lead.
// 5. *A pointer may lead to another row*: a VACUUM took the entry away, which it does only with entries that are gone.
//    So a session that follows a pointer checks whether the row is one of the key, and whether the table still has that
//    block. A pointer is taken off the list in two cases: the entry was seen to be gone, and nothing was reported
//    since; or the pointer was reported before a walk which found that nothing is left.
// 6. *Rows that are written by hand* make everything forgotten, as with the places of claims (place.hpp, 4): a trigger
//    reports them, after the entries are there. A database that is made with the OID of another one has the same
//    effect.
//
// A key is known by itself, or, if it is long, by its SHA-256: never by a hash that another key may have. Rows that
// roll back, sub-transactions and prepared transactions need nothing: only entries that are gone are left out, and a
// report of a row that is not there costs a look. To forget a key costs one walk. All this needs shared memory, since
// rows that other sessions store must be known: where the library is not preloaded, each look-up walks.
#pragma once

#include "pg/postgres.hpp"
#include "shmem/shared_memory.hpp"

#include <span>

namespace pgpubsub {

enum class key_index : uint8 { ordered, held, dedup, due };

struct key_name {
    Oid database;
    Oid file;  // of the table: another file after TRUNCATE or VACUUM FULL
    int32 subscription_id;
    key_index index;
    uint8 key_size;  // above the size of `key`: `key` has a digest
    uint8 unused[2];
    unsigned char key[32];
};
key_name key_name_of(Relation heap, key_index index, int32 subscription_id, int64 order_key);
key_name key_name_of(Relation heap, int32 subscription_id, const text* dedup_key);
// Returns a name for all rows that have a due_at, as if that were their key (left_rows.hpp). They are known by their
// pointers.
key_name name_of_waiting(Relation heap, int32 subscription_id);

// Returns whether anything can be known at all.
bool knows_keys();

// Reports that a row's entry has come into the index. `pointer`: the entry has come into the index without ids, too;
// else null.
void key_is_stored(const key_name& name, int64 id, ItemPointer pointer);

// More pointers are not kept. Few keys have more than two rows that are not gone, besides those that consumers have in
// hand.
constexpr uint32 known_pointers = 16;

class known_key {
public:
    // Returns a copy of what is known.
    static known_key recall(const key_name& name);

    // All entries with lower ids are gone. PG_INT64_MIN: nothing is known.
    int64 below() const { return below_; }
    // Returns whether pointers() has all pointers.
    bool has_all_pointers() const { return has_all_; }
    std::span<ItemPointerData> pointers() { return {pointers_, count_}; }
    // Returns whether nothing was reported since recall().
    bool is_unchanged() const;
    // Takes pointers off the list. pointers() begins with the `count` that are left.
    void keep(uint32 count);

    // Begins to learn. The caller's walk follows. It finds the number, from below() on, which is read anew; or the
    // pointers of all of the key's entries. It looks at each entry itself. False: nothing is remembered here.
    bool begin_learning();
    // Note that all entries below are gone. PG_INT64_MAX: nothing is left. Only the first ends learning.
    void learned(int64 below);
    void learned_so_far(int64 below);
    // Ends learning: these are the pointers of all entries that are not gone.
    void learned(std::span<const ItemPointerData> pointers);

private:
    key_name name_;
    uint64 generation_;
    uint64 changes_;
    uint64 learning_;
    int64 below_;
    bool has_all_;
    uint32 count_;
    ItemPointerData pointers_[known_pointers];
};
static_assert(survives_longjmp<known_key>);

// To step over so many entries each time is cheaper than to know the key.
constexpr uint32 worth_knowing = 16;

extern const shared_part key_memory_part;

}  // namespace pgpubsub
