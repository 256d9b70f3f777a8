// What is known of the rows of a key, so that a look-up by key need not walk over all that the key ever had. As long as
// somebody has an older snapshot, an index keeps the entries of removed rows: of a dedup_key that is published again
// and again, or of one key in an ordered channel, there may be a hundred thousand, in front of the one that counts.
//
// An entry is *gone* when no transaction can make anything of it: the row was never committed, or the transaction that
// removed or replaced it has committed (entry_reader::is_gone). That stays so. Of a key that has many such entries,
// shared memory has:
// - of the indexes that have the ids too (notification_ordered, notification_held): a number *below* which all entries
//   are gone;
// - of those that have not (notification_dedup, notification_in_flight): the *pointers* of all entries that are not
//   gone, while they are few. What is in notification_in_flight is in notification_held as well, so the two share what
//   is known of a key.
//
// Why a look-up misses nothing, though rows come in at any time, and with ids that are lower than others (a lease, what
// is given back or redriven, a publisher who has drawn its id early):
// 1. *Who stores a row tells it.* After its entry is in the index, and before the transaction can commit, the number is
//    lowered to the row's id, and its pointer is added to the others (key_is_stored).
// 2. *Who learns says so first.* A walk that is to find the number or the pointers begins after begin_learning(). An
//    entry that was in the index by then, the walk meets. Of one that comes later, 1 tells, before or after the walk
//    has ended; what is told meanwhile is kept and added to what the walk has found. So what is known at a moment holds
//    for all that was told by then.
// 3. *A number is read after the snapshot was taken* with which the rows are looked for. What that sees was committed
//    before, so it was told of. If its id is below the number all the same, it is gone, though the snapshot may not
//    know that yet; and the row's newest version, which has the same id, is not in that index any more. It was removed
//    or handed out; or it is leased now, and so no longer in notification_ordered, but in notification_held. To pass
//    over it says what is true now, and no less.
// 4. *Pointers are followed by a dirty snapshot*, one after the other, and what is found counts only if nothing was
//    told meanwhile (is_unchanged). So it is as if all were followed in one moment: no row moves meanwhile to where the
//    list does not lead.
// 5. *A pointer may lead to another row*: a VACUUM took the entry away, which it does with gone ones only. So who
//    follows one asks whether the row is one of the key, and whether the table still has that block. A pointer is taken
//    off the list if it was seen to be gone and nothing was told since; or if it was told of before a walk which found
//    that nothing is left.
// 6. *What is written by hand* makes all of it forgotten, as the places of claims (place.hpp, 4): a trigger tells,
//    after the entries are there. So does a database that is made with the OID of another one.
//
// A key is known by itself, or, if it is long, by its SHA-256: never by a hash that another one may have.
// Rows that roll back, sub-transactions and prepared transactions need nothing: only what is gone is left out, and to
// be told of what is not there costs a look. To forget a key costs one walk. Only shared memory will do, for what
// others store must be known: where the library is not preloaded, each look-up walks.
#pragma once

#include "pg/postgres.hpp"
#include "shmem/shared_memory.hpp"

#include <span>

namespace pgpubsub {

enum class key_index : uint8 { ordered, held, dedup, due };

struct key_name {
    Oid database;
    Oid file;  // of the table: another one after TRUNCATE or VACUUM FULL
    int32 subscription_id;
    key_index index;
    uint8 key_size;  // above that of `key`: it is a digest
    uint8 unused[2];
    unsigned char key[32];
};
key_name key_name_of(Relation heap, key_index index, int32 subscription_id, int64 order_key);
key_name key_name_of(Relation heap, int32 subscription_id, const text* dedup_key);
// All that have a due_at, as if that were their key (left_rows.hpp). They are known by their pointers.
key_name name_of_waiting(Relation heap, int32 subscription_id);

// Whether anything can be known at all.
bool knows_keys();

// A row's entry has come into the index. `pointer`: also into the one without ids; else null.
void key_is_stored(const key_name& name, int64 id, ItemPointer pointer);

// More pointers are not kept. Few keys have more than two rows that are not gone, besides those that consumers are at.
constexpr uint32 known_pointers = 16;

class known_key {
public:
    // A copy of what is known.
    static known_key recall(const key_name& name);

    // All entries with lower ids are gone. PG_INT64_MIN: nothing is known.
    int64 below() const { return below_; }
    // Whether pointers() are all.
    bool has_all_pointers() const { return has_all_; }
    std::span<ItemPointerData> pointers() { return {pointers_, count_}; }
    // Whether nothing was told since recall().
    bool is_unchanged() const;
    // Takes pointers off the list. It has those that are left.
    void keep(uint32 count);

    // The walk that follows finds what is to be known: from below() on, which is read anew, or the pointers of all of
    // the key. It looks at each entry itself. False: nothing is remembered here.
    bool begin_learning();
    // PG_INT64_MAX: nothing is left.
    void learned(int64 below);
    void learned_so_far(int64 below);
    // All that are not gone.
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

// So many entries are cheaper to step over each time than to know.
constexpr uint32 worth_knowing = 16;

extern const shared_part key_memory_part;

}  // namespace pgpubsub
