// What is known of a type that matters when its values become JSON, and of a row type the same for its columns.
//
// Whoever has read facts keeps them, in a memory context of its own choice; nobody else changes or frees them. So they stay
// usable while an invalidation arrives, and type_generation() says that they should be read anew before the next use.
#pragma once

#include "jsonb_writer.hpp"
#include "pg.hpp"

#include <span>

namespace pgpubsub {

enum class json_form {
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

struct type_facts {
    json_form form;
    Oid base;           // the type below all domains
    bool is_varlena;
    FmgrInfo function;  // the output function, or the cast to json; where the form needs one
    // For arrays.
    const type_facts* element;
    int16 element_length;
    bool element_by_value;
    char element_alignment;
    // For composites: the columns, as they were when the row type had this number in the type cache; null for record.
    const row_columns* columns;
    uint64 columns_identifier;
};
static_assert(survives_longjmp<type_facts>);

// The columns of a row type that go into the JSON.
struct row_columns {
    struct member {
        int column;  // attribute number - 1
        type_facts type;
    };
    const object_shape* shape;
    const member* members;  // in the order of the shape
    int columns;            // of the row type, all of them
};
static_assert(survives_longjmp<row_columns>);

// Registers the callbacks that keep type_generation() up to date. Called once, when the library is loaded.
void watch_types();

// Another number than before: something has changed of a type that facts have been read of. Ask before reading facts, since
// a change may arrive meanwhile.
uint64 type_generation();

// The type with this object identifier. In the current memory context, as all that follows.
type_facts read_type_facts(Oid type);

// The columns with these numbers; all that are not dropped, where none are given.
const row_columns* describe_columns(TupleDesc desc, std::span<const AttrNumber> which);

// The columns of a composite value: those in the facts if they are as they were, else they are read, and type_generation()
// changes. *desc is the row type's description, for the moment.
const row_columns* columns_of(const type_facts& facts, HeapTupleHeader value, TupleDesc* desc);

}  // namespace pgpubsub
