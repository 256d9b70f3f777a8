// Facts about a type that matter when its values become JSON; for a row type, those of its columns.
//
// They are read when a value first needs them. So a type that a user has nested in others any number of times is
// described once, and a type without values is not described at all.
//
// Guarantees:
// - Facts change while they are in use, but only from unread to read. Nothing else changes or frees them: they are in
//   the memory context of their graph.
// - Facts stay usable while an invalidation arrives. type_generation() then says that the whole graph should be made
//   anew before its next use.
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

// Types that are described together. Each row type among them is described once.
struct type_graph {
    MemoryContext memory;
    bool is_for_keys;  // the text of a value must not depend on the session's settings
    HTAB* row_types;   // null: none yet
};
static_assert(survives_longjmp<type_graph>);

// A row type of a graph.
struct row_type {
    Oid type;                    // the hash key
    uint64 identifier;           // the identifier in the type cache when the columns were described
    const row_columns* columns;  // null: not yet described
};
static_assert(survives_longjmp<row_type>);

struct type_facts {
    json_form form;
    Oid base;         // the type below all domains; for an unread type, the type itself
    bool is_varlena;  // false if the type is unread
    type_graph* graph;
    FmgrInfo function;  // the output function, or the cast to json, if the form needs one
    FmgrInfo* called;   // the copy of it that is in use for the array number `called_for` (see row_json.cpp)
    uint64 called_for;  // 0: none yet
    bool has_text_of_any_size;
    bool depends_on_settings;  // whether the function's result depends on them
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

// Returns a number that changes when a type has changed of which facts have been read. Ask before making a graph, since
// a change may arrive meanwhile.
uint64 type_generation();

// Makes type_generation() change with this type, too.
void watch_type(Oid type);

// Makes an empty graph. The graph and all that it will hold are in the current memory context.
type_graph* make_type_graph(bool is_for_keys = false);

// Returns a type of which nothing is known yet.
type_facts unread_type(type_graph* graph, Oid type);

// Reads the facts of an unread type.
void read_type(type_facts* facts);

// Describes the columns with these numbers; without numbers, all columns that are not dropped. The result is in the
// memory context of the graph.
const row_columns* describe_columns(type_graph* graph, TupleDesc desc, std::span<const AttrNumber> which);

// Returns the columns of a composite value, as they are now. Those of a record are in the current memory context. *desc
// is the row type's description, which is valid only for the moment.
const row_columns* columns_of(const type_facts& facts, HeapTupleHeader value, TupleDesc* desc);

}  // namespace pgpubsub
