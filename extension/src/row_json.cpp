// From a column's value to JSON, by the rules of to_jsonb (PostgreSQL documentation, 9.16): numbers and booleans as they are,
// dates and times in ISO 8601, json and jsonb as JSON, arrays as arrays, composites as objects, what has a cast to json by that
// cast, and all else by its text output.
#include "row_json.hpp"

#include "json_text.hpp"
#include "limits.hpp"

namespace pgpubsub {
namespace {

enum class form { boolean, integer, number, date_time, json, jsonb, array, composite, cast_to_json, text };

struct type_facts {
    Oid type;        // the hash key
    form as;
    Oid base;        // the type below all domains
    bool is_varlena;
    FmgrInfo output; // the output function, or the cast to json
    // For arrays.
    Oid element;
    int16 element_length;
    bool element_by_value;
    char element_alignment;
};
static_assert(survives_longjmp<type_facts>);

HTAB* known_types = nullptr;
bool known_types_are_valid = false;

void forget_types(Datum, syscache_id, uint32) { known_types_are_valid = false; }

// The function from the type to json that a CREATE CAST names, or InvalidOid. Built-in types have none that counts.
Oid cast_to_json(Oid type) {
    Oid function = InvalidOid;
    if (type < FirstNormalObjectId)
        return InvalidOid;
    return find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC ? function
                                                                                                   : InvalidOid;
}

form form_of(Oid type) {
    switch (type) {
        case BOOLOID:
            return form::boolean;
        case INT2OID:
        case INT4OID:
        case INT8OID:
            return form::integer;
        case FLOAT4OID:
        case FLOAT8OID:
        case NUMERICOID:
            return form::number;
        case DATEOID:
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
            return form::date_time;
        case JSONOID:
            return form::json;
        case JSONBOID:
            return form::jsonb;
        default:
            if (OidIsValid(get_element_type(type)))
                return form::array;
            if (type_is_rowtype(type))
                return form::composite;
            return OidIsValid(cast_to_json(type)) ? form::cast_to_json : form::text;
    }
}

type_facts read_facts(Oid type) {
    type_facts facts{};
    facts.type = type;
    facts.base = getBaseType(type);
    facts.as = form_of(facts.base);
    if (facts.as == form::array) {
        facts.element = get_element_type(facts.base);
        get_typlenbyvalalign(facts.element, &facts.element_length, &facts.element_by_value, &facts.element_alignment);
    }
    Oid function;
    getTypeOutputInfo(facts.base, &function, &facts.is_varlena);
    if (facts.as == form::cast_to_json)
        function = cast_to_json(facts.base);
    fmgr_info_cxt(function, &facts.output, CacheMemoryContext);
    return facts;
}

// By value: a look-up inside an output function may start the memory anew.
type_facts facts_of(Oid type) {
    if (!known_types_are_valid) {
        if (known_types != nullptr)
            hash_destroy(known_types);
        known_types = nullptr;
        HASHCTL ctl{};
        ctl.keysize = sizeof(Oid);
        ctl.entrysize = sizeof(type_facts);
        known_types = hash_create("pgpubsub types", 128, &ctl, HASH_ELEM | HASH_BLOBS);
        known_types_are_valid = true;
    }
    if (const void* const entry = hash_search(known_types, &type, HASH_FIND, nullptr))
        return *static_cast<const type_facts*>(entry);
    const type_facts facts = read_facts(type);
    // Reading may have brought an invalidation; then these facts serve once, and the next look-up starts anew.
    *static_cast<type_facts*>(hash_search(known_types, &type, HASH_ENTER, nullptr)) = facts;
    return facts;
}

void add_value(jsonb_builder& json, Datum value, bool null, Oid type);

// A copy to call the output function, or cast, by: what it remembers between calls goes into the current memory context
// instead of staying for the session.
FmgrInfo callable(const type_facts& facts) {
    FmgrInfo function = facts.output;
    function.fn_mcxt = CurrentMemoryContext;
    return function;
}

void add_json_text(jsonb_builder& json, std::string_view text) {
    // The copy, null-terminated, is what jsonb_in reads, and what the string points to.
    char* const copy = c_string(text);
    if (json_text_fits_jsonb(text, GetDatabaseEncoding() == PG_UTF8, max_jsonb_bytes, max_jsonb_depth))
        json.value(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(copy))));
    else
        json.string({copy, text.size()});
}

void add_number(jsonb_builder& json, Datum value, const type_facts& facts) {
    if (facts.base == NUMERICOID) {
        const Numeric number = DatumGetNumeric(value);
        if (!numeric_is_nan(number) && !numeric_is_inf(number)) {
            json.number(number);
            return;
        }
    }
    // A float by way of its text: the shortest digits that read back as the same value.
    FmgrInfo output = callable(facts);
    char* const text = OutputFunctionCall(&output, value);
    const bool is_finite = strpbrk(text, "nN") == nullptr;
    if (is_finite)
        json.number(DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
                                                        Int32GetDatum(-1))));
    else
        json.string(text);
}

void add_dimension(jsonb_builder& json, const type_facts& facts, int dimensions, const int* lengths, const Datum*& value,
                   const bool*& null) {
    json.begin_array();
    for (int i = 0; i < lengths[0]; ++i) {
        if (dimensions > 1)
            add_dimension(json, facts, dimensions - 1, lengths + 1, value, null);
        else
            add_value(json, *value++, *null++, facts.element);
    }
    json.end_array();
}

void add_array(jsonb_builder& json, Datum value, const type_facts& facts) {
    ArrayType* const array = DatumGetArrayTypeP(value);
    const int elements = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    if (elements > max_jsonb_elements || !json.reserve(elements * jsonb_builder::overhead)) {
        json.leave_out();
        return;
    }
    Datum* values;
    bool* nulls;
    int count;
    deconstruct_array(array, facts.element, facts.element_length, facts.element_by_value, facts.element_alignment, &values,
                      &nulls, &count);
    if (count == 0) {
        json.begin_array();
        json.end_array();
        return;
    }
    const Datum* next_value = values;
    const bool* next_null = nulls;
    add_dimension(json, facts, ARR_NDIM(array), ARR_DIMS(array), next_value, next_null);
}

void add_composite(jsonb_builder& json, Datum value) {
    const HeapTupleHeader header = DatumGetHeapTupleHeader(value);
    // A copy, since the builder refers to the names until it is finished.
    const TupleDesc columns = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    add_row(json, &tuple, columns);
}

// How much longer a value's text is than the value, where that could matter. (bytea's is twice as long, and still can
// be made.)
Size characters_per_byte(const type_facts& facts) { return facts.base == VARBITOID || facts.base == BITOID ? 8 : 1; }

void add_value(jsonb_builder& json, Datum value, bool null, Oid type) {
    check_stack_depth();
    if (null) {
        json.null();
        return;
    }
    const type_facts facts = facts_of(type);
    // Too large in itself: not even unpacked, since its text could be more than the server can allocate.
    if (facts.is_varlena && toast_raw_datum_size(value) > max_jsonb_bytes / characters_per_byte(facts)) {
        json.leave_out();
        return;
    }
    switch (facts.as) {
        case form::boolean:
            json.boolean(DatumGetBool(value));
            return;
        case form::integer:
            json.number(int64_to_numeric(facts.base == INT2OID   ? DatumGetInt16(value)
                                         : facts.base == INT4OID ? DatumGetInt32(value)
                                                                 : DatumGetInt64(value)));
            return;
        case form::number:
            add_number(json, value, facts);
            return;
        case form::date_time:
            json.string(JsonEncodeDateTime(nullptr, value, facts.base, nullptr));
            return;
        case form::json:
            add_json_text(json, view_of(DatumGetTextPP(value)));
            return;
        case form::jsonb:
            json.value(DatumGetJsonbP(value));
            return;
        case form::array:
            add_array(json, value, facts);
            return;
        case form::composite:
            add_composite(json, value);
            return;
        case form::cast_to_json: {
            FmgrInfo cast = callable(facts);
            add_json_text(json, view_of(DatumGetTextPP(FunctionCall1(&cast, value))));
            return;
        }
        case form::text:
            if (facts.base == TEXTOID || facts.base == VARCHAROID) {
                json.string(view_of(DatumGetTextPP(value)));
            } else {
                FmgrInfo output = callable(facts);
                json.string(OutputFunctionCall(&output, value));
            }
            return;
    }
}

}  // namespace

void watch_row_facts() {
    CacheRegisterSyscacheCallback(TYPEOID, forget_types, 0);
    CacheRegisterSyscacheCallback(CASTSOURCETARGET, forget_types, 0);
    CacheRegisterSyscacheCallback(PROCOID, forget_types, 0);
}

void add_row(jsonb_builder& json, HeapTuple tuple, TupleDesc columns) {
    std::size_t names = 0;
    for (int i = 0; i < columns->natts; ++i)
        names += strlen(NameStr(TupleDescAttr(columns, i)->attname)) + 2 * jsonb_builder::overhead;
    if (!json.reserve(names)) {
        json.leave_out();
        return;
    }

    auto* const values = static_cast<Datum*>(palloc(columns->natts * sizeof(Datum)));
    auto* const nulls = static_cast<bool*>(palloc(columns->natts * sizeof(bool)));
    heap_deform_tuple(tuple, columns, values, nulls);
    json.begin_object();
    for (int i = 0; i < columns->natts; ++i) {
        const Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped)
            continue;
        json.key(NameStr(column->attname));
        add_value(json, values[i], nulls[i], column->atttypid);
    }
    json.end_object();
}

void add_column(jsonb_builder& json, HeapTuple tuple, TupleDesc columns, AttrNumber column) {
    bool null;
    const Datum value = heap_getattr(tuple, column, columns, &null);
    add_value(json, value, null, TupleDescAttr(columns, column - 1)->atttypid);
}

}  // namespace pgpubsub
