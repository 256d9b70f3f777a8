// What is known of a type that matters when its values become JSON, and of a row type the same for its columns.
//
// It is read when a value first needs it: a type that a user has nested in others any number of times is described
// once, and none of which there are no values. So these facts change while they are in use, from unread to read; nobody
// else changes or frees them: they are in the memory context of their graph. They stay usable while an invalidation
// arrives, and type_generation() says that all of a graph should be made anew before the next use.
#pragma once

#include "json/jsonb_writer.hpp"
#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

enum class json_form {
    unread,
    boolean,
    int2,
    int4,
    int8,
    numeric,
    real,
    date_time,
    time_with_zone,
    uuid,
    json,
    jsonb,
    string,
    array,
    composite,
    cast_to_json,
    output,
};

struct row_columns;

// Types that are described together; each row type among them once.
struct type_graph {
    MemoryContext memory;
    bool is_for_keys;  // the text of a value must not depend on the session's settings
    HTAB* row_types;   // null: none yet
};
static_assert(survives_longjmp<type_graph>);

// A row type of a graph.
struct row_type {
    Oid type;                    // the hash key
    uint64 identifier;           // that it had in the type cache when its columns were described
    const row_columns* columns;  // null: not yet described
};
static_assert(survives_longjmp<row_type>);

struct type_facts {
    json_form form;
    Oid base;         // the type below all domains; of what is unread, the type itself
    bool is_varlena;  // false where it is unread
    type_graph* graph;
    FmgrInfo function;  // the output function, or the cast to json; where the form needs one
    FmgrInfo* called;   // the copy of it that is in use for the array of this number (see row_json.cpp)
    uint64 called_for;  // 0: none yet
    bool has_text_of_any_size;
    bool depends_on_settings;  // what the function gives
    // For arrays.
    type_facts* element;
    int16 element_length;
    bool element_by_value;
    char element_alignment;
    // For composites; null for record.
    row_type* row;
};
static_assert(survives_longjmp<type_facts>);

// The columns of a row type that go into the JSON.
struct row_columns {
    struct member {
        int column;  // attribute number - 1
        type_facts type;
    };
    const object_shape* shape;
    member* members;  // in the order of the shape
    int columns;      // of the row type, all of them
};
static_assert(survives_longjmp<row_columns>);

// Registers the callbacks that keep type_generation() up to date. Called once, when the library is loaded.
void watch_types();

// Another number than before: something has changed of a type that facts have been read of. Ask before making a graph,
// since a change may arrive meanwhile.
uint64 type_generation();

// Has type_generation() change with this type too.
void watch_type(Oid type);

// An empty graph, in the current memory context as all that it will hold.
type_graph* make_type_graph(bool is_for_keys = false);

// A type of which nothing is known yet.
type_facts unread_type(type_graph* graph, Oid type);

// Reads what is still unread.
void read_type(type_facts* facts);

// The columns with these numbers; all that are not dropped, where none are given. In the memory context of the graph.
const row_columns* describe_columns(type_graph* graph, TupleDesc desc, std::span<const AttrNumber> which);

// The columns of a composite value, as they are now; those of a record in the current memory context. *desc is the row
// type's description, for the moment.
const row_columns* columns_of(const type_facts& facts, HeapTupleHeader value, TupleDesc* desc);

}  // namespace pgpubsub
