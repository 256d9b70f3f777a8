// Turns a column's value into JSON, by the rules of to_jsonb (PostgreSQL documentation, 9.16):
// - numbers and booleans as they are;
// - dates and times in ISO 8601;
// - json and jsonb as JSON;
// - arrays as arrays, composites as objects;
// - a value of a type that has a cast to json, by that cast;
// - all other values by their text output.
#include "json/row_json.hpp"

#include "pg/element_memory.hpp"
#include "pg/guc_scope.hpp"
#include "pg/text_size.hpp"
#include "pure/json_text.hpp"
#include "pure/limits.hpp"

namespace pgpubsub {
namespace {

// Kept back from the rows, for the few members around them.
constexpr std::size_t around_the_rows = 64 * 1024;

// An array that is being added, with everything inside: its elements share what functions remember between calls. Its
// number is no other array's. So what was kept for an array that an ERROR interrupted, or by another capture, is not
// taken for that of the next array.
struct outer_array {
    uint64 number;
    MemoryContext memory;

    static outer_array begin() {
        static uint64 last;
        return {++last, CurrentMemoryContext};
    }
};

void add(jsonb_writer& json, Datum value, type_facts& type, const outer_array* outer);

void add_or_null(jsonb_writer& json, Datum value, bool null, type_facts& type, const outer_array* outer) {
    if (null || json.is_useless())
        json.null();
    else
        add(json, value, type, outer);
}

std::string_view bytes_of(const varlena* v) { return {VARDATA_ANY(v), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(v))}; }

// Returns the value without its length word, aligned or not.
std::string_view unpacked(Datum value) { return bytes_of(PG_DETOAST_DATUM_PACKED(value)); }

// Returns a copy with which to call the output function or cast. What the function remembers between calls goes into
// `memory` instead of staying for the session. A call that comes while another one runs does not disturb it.
FmgrInfo copy_of_function(const type_facts& type, MemoryContext memory) {
    FmgrInfo function = type.function;
    function.fn_mcxt = memory;
    return function;
}

// Returns the function to call. In an array one copy serves for all values of the type; elsewhere the copy is made at
// *own.
FmgrInfo* callable(type_facts& type, const outer_array* array, FmgrInfo* own) {
    if (array == nullptr) {
        *own = copy_of_function(type, CurrentMemoryContext);
        return own;
    }
    if (type.called_for != array->number) {
        type.called = static_cast<FmgrInfo*>(MemoryContextAlloc(array->memory, sizeof(FmgrInfo)));
        *type.called = copy_of_function(type, array->memory);
        type.called_for = array->number;
    }
    return type.called;
}

void add_json_text(jsonb_writer& json, std::string_view text) {
    if (json_text_fits_jsonb(text, GetDatabaseEncoding() == PG_UTF8, max_jsonb_bytes, max_jsonb_depth))
        json.value(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(c_string(text)))));
    else
        json.string(text);
}

void add_numeric(jsonb_writer& json, Datum value) {
    const std::string_view bytes = unpacked(value);
    if (numeric_bytes::is_special(bytes.data()))
        json.string(DatumGetCString(DirectFunctionCall1(numeric_out, value)));
    else
        json.numeric(bytes);
}

// Returns the text of the number: the shortest digits that read back as the same value, unless extra_float_digits wants
// fewer.
const char* text_of_real(Datum value, const type_facts& type) {
    if (!type.graph->is_for_keys)
        return DatumGetCString(type.base == FLOAT4OID ? DirectFunctionCall1(float4out, value)
                                                      : DirectFunctionCall1(float8out, value));
    auto* const text = static_cast<char*>(palloc(DOUBLE_SHORTEST_DECIMAL_LEN));
    if (type.base == FLOAT4OID)
        float_to_shortest_decimal_buf(DatumGetFloat4(value), text);
    else
        double_to_shortest_decimal_buf(DatumGetFloat8(value), text);
    return text;
}

void add_real(jsonb_writer& json, Datum value, const type_facts& type) {
    const char* const text = text_of_real(value, type);
    if (strpbrk(text, "nN") == nullptr)
        json.real(numeric_bytes(std::string_view(text)));
    else
        json.string(text);
}

void add_date_time(jsonb_writer& json, Datum value, const type_facts& type) {
    char text[MAXDATELEN + 1];
    json.string(JsonEncodeDateTime(text, value, type.base, nullptr));
}

// The text of a second in a time zone. It is split where a fraction of the second goes.
struct second_text {
    TimestampTz second;  // in microseconds
    const pg_tz* zone;   // null: none yet
    char text[MAXDATELEN + 1];
    int before;
    int behind;
};

const second_text& text_of_second(TimestampTz second) {
    static second_text last;
    if (last.zone == session_timezone && last.second == second)
        return last;
    last.zone = nullptr;  // an ERROR may come before it is complete
    JsonEncodeDateTime(last.text, TimestampTzGetDatum(second), TIMESTAMPTZOID, nullptr);
    last.before = static_cast<int>(strchr(last.text, 'T') - last.text) + static_cast<int>(strlen("T00:00:00"));
    last.behind = static_cast<int>(strlen(last.text)) - last.before;
    last.second = second;
    last.zone = session_timezone;
    return last;
}

// Most times are in the present second, like the time of the row before. (Before the year 2000 a fraction counts
// backwards.)
void add_time_with_zone(jsonb_writer& json, Datum value, const type_facts& type) {
    const TimestampTz time = DatumGetTimestampTz(value);
    char text[MAXDATELEN + 8];
    if (type.graph->is_for_keys) {
        constexpr int utc = 0;
        json.string(JsonEncodeDateTime(text, value, TIMESTAMPTZOID, &utc));
        return;
    }
    if (time < 0 || TIMESTAMP_NOT_FINITE(time)) {
        json.string(JsonEncodeDateTime(text, value, TIMESTAMPTZOID, nullptr));
        return;
    }
    int64 fraction = time % USECS_PER_SEC;
    const second_text& second = text_of_second(time - fraction);
    char* end = text + second.before;
    memcpy(text, second.text, second.before);
    if (fraction != 0) {
        int digits = 6;
        for (; fraction % 10 == 0; --digits)
            fraction /= 10;
        *end = '.';
        for (int i = digits; i > 0; --i, fraction /= 10)
            end[i] = static_cast<char>('0' + fraction % 10);
        end += digits + 1;
    }
    memcpy(end, second.text + second.before, second.behind);
    json.string({text, static_cast<std::size_t>(end + second.behind - text)});
}

void add_uuid(jsonb_writer& json, Datum value) {
    const auto* const bytes = DatumGetUUIDP(value)->data;
    char text[2 * UUID_LEN + 4];
    char* at = text;
    for (int i = 0; i < UUID_LEN; ++i) {
        constexpr char digits[] = "0123456789abcdef";
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    json.string({text, sizeof text});
}

// The values of an array that are yet to be added.
struct array_values {
    const Datum* value;
    const bool* null;
};

// Adds the values of one dimension. The first value for which there is no room is the last that is looked at: those
// behind it become null.
void add_dimension(jsonb_writer& json, type_facts& element, int dimensions, const int* lengths, array_values* rest,
                   element_memory* memory, const outer_array& outer) {
    const uint32 left_out = json.left_out();
    if (!json.begin_array(lengths[0]))
        return;
    for (int i = 0; i < lengths[0]; ++i) {
        CHECK_FOR_INTERRUPTS();
        if (json.left_out() != left_out || json.is_useless()) {
            json.null();
        } else if (dimensions > 1) {
            add_dimension(json, element, dimensions - 1, lengths + 1, rest, memory, outer);
        } else {
            memory->run([&] { add_or_null(json, *rest->value, *rest->null, element, &outer); });
            ++rest->value;
            ++rest->null;
        }
    }
    json.end();
}

// Returns whether there is room for the texts of all elements. It looks before any text is made, since each may be
// large.
bool has_room_for_texts(const jsonb_writer& json, array_values all, int count, const type_facts& element,
                        element_memory* memory) {
    const uint64 room = json.room_for_string();
    uint64 size = 0;
    for (int i = 0; i < count && size <= room; ++i)
        if (!all.null[i])
            memory->run([&] { size += text_size(all.value[i], element.base); });
    return size <= room;
}

void add_array(jsonb_writer& json, Datum value, const type_facts& type, const outer_array* outer) {
    ArrayType* const array = DatumGetArrayTypeP(value);
    const int elements = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    if (elements > max_jsonb_elements) {
        json.leave_out();
        return;
    }
    if (elements == 0) {
        if (json.begin_array(0))
            json.end();
        return;
    }
    type_facts& element = *type.element;
    if (element.form == json_form::unread)
        read_type(&element);
    Datum* values;
    bool* nulls;
    int count;
    deconstruct_array(array, ARR_ELEMTYPE(array), type.element_length, type.element_by_value, type.element_alignment,
                      &values, &nulls, &count);
    array_values rest = {values, nulls};
    element_memory memory = element_memory::begin(elements);
    if (element.has_text_of_any_size && !has_room_for_texts(json, rest, count, element, &memory))
        json.leave_out();
    else
        add_dimension(json, element, ARR_NDIM(array), ARR_DIMS(array), &rest, &memory,
                      outer != nullptr ? *outer : outer_array::begin());
    memory.end();
    pfree(values);
    pfree(nulls);
}

// Returns the chosen members as the writer wants them: indexed as the names of which the shape was made.
const bool* included_members(const row_columns& columns, const bool* chosen) {
    auto* const included = static_cast<bool*>(palloc(columns.columns * sizeof(bool)));
    for (int i = 0; i < columns.shape->count(); ++i)
        included[columns.shape->source(i)] = chosen[columns.members[i].column];
    return included;
}

void add_members(jsonb_writer& json, const row_columns& columns, const Datum* values, const bool* nulls,
                 const bool* chosen, const outer_array* outer) {
    if (!(chosen == nullptr ? json.begin_object(*columns.shape)
                            : json.begin_object(*columns.shape, included_members(columns, chosen))))
        return;
    const row_columns::member* const end = columns.members + columns.shape->count();
    for (row_columns::member* m = columns.members; m != end; ++m)
        if (chosen == nullptr || chosen[m->column])
            add_or_null(json, values[m->column], nulls[m->column], m->type, outer);
    json.end();
}

void add_composite(jsonb_writer& json, Datum value, const type_facts& type, const outer_array* outer) {
    CHECK_FOR_INTERRUPTS();
    const HeapTupleHeader header = DatumGetHeapTupleHeader(value);
    TupleDesc desc;
    const row_columns* const columns = columns_of(type, header, &desc);
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    auto* const values = static_cast<Datum*>(palloc(desc->natts * sizeof(Datum)));
    auto* const nulls = static_cast<bool*>(palloc(desc->natts * sizeof(bool)));
    heap_deform_tuple(&tuple, desc, values, nulls);
    // Columns that are described for this value alone are gone after it, and so is what their functions remember.
    const bool is_described_once = type.row == nullptr || columns != type.row->columns;
    add_members(json, *columns, values, nulls, nullptr, is_described_once ? nullptr : outer);
}

// Returns how many times longer a value's text is than the value, for types for which that is known.
Size characters_per_byte(const type_facts& type) {
    switch (type.base) {
        case BITOID:
        case VARBITOID: return BITS_PER_BYTE;
        case BYTEAOID: return 2;
        default: return 1;
    }
}

// Returns whether a value is too large in itself. Such a value is not even unpacked, since its text could be more than
// the server can allocate.
bool is_too_large(Datum value, const type_facts& type) {
    return type.is_varlena && toast_raw_datum_size(value) > max_jsonb_bytes / characters_per_byte(type);
}

// Returns the result of the type's function, which f calls.
template <typename F>
Datum call(const type_facts& type, F f) {
    if (!type.depends_on_settings || !type.graph->is_for_keys)
        return f();
    if (type.base == BYTEAOID)
        return with_settings(bytea_settings, f);
    return with_settings(text_settings, f);
}

// Calls a cast, which may return null. The cast's function may take more than the value: the type modifier, and whether
// the cast is explicit.
Datum call_cast(FmgrInfo* cast, Datum value, bool* null) {
    LOCAL_FCINFO(call, 3);
    InitFunctionCallInfoData(*call, cast, cast->fn_nargs, InvalidOid, nullptr, nullptr);
    call->args[0] = {value, false};
    call->args[1] = {Int32GetDatum(-1), false};
    call->args[2] = {BoolGetDatum(true), false};
    const Datum result = FunctionCallInvoke(call);
    *null = call->isnull;
    return result;
}

void add(jsonb_writer& json, Datum value, type_facts& type, const outer_array* outer) {
    if (is_too_large(value, type)) {
        json.leave_out();
        return;
    }
    switch (type.form) {
        case json_form::unread:
            read_type(&type);
            add(json, value, type, outer);
            return;
        case json_form::boolean: json.boolean(DatumGetBool(value)); return;
        case json_form::int2: json.integer(DatumGetInt16(value)); return;
        case json_form::int4: json.integer(DatumGetInt32(value)); return;
        case json_form::int8: json.integer(DatumGetInt64(value)); return;
        case json_form::numeric: add_numeric(json, value); return;
        case json_form::real: add_real(json, value, type); return;
        case json_form::date_time: add_date_time(json, value, type); return;
        case json_form::time_with_zone: add_time_with_zone(json, value, type); return;
        case json_form::uuid: add_uuid(json, value); return;
        case json_form::json: add_json_text(json, unpacked(value)); return;
        case json_form::jsonb: json.value(unpacked(value)); return;
        case json_form::string: json.string(unpacked(value)); return;
        case json_form::array:
        case json_form::composite:
            // The value is nested deeper than the stack allows here, though the session that made the value had enough
            // stack.
            if (stack_is_too_deep())
                json.leave_out();
            else if (type.form == json_form::array)
                add_array(json, value, type, outer);
            else
                add_composite(json, value, type, outer);
            return;
        case json_form::cast_to_json: {
            FmgrInfo own;
            FmgrInfo* const cast = callable(type, outer, &own);
            bool null;
            const Datum text = call(type, [&] { return call_cast(cast, value, &null); });
            if (null)
                json.null();
            else
                add_json_text(json, unpacked(text));
            return;
        }
        case json_form::output: {
            if (type.has_text_of_any_size && text_size(value, type.base) > json.room_for_string()) {
                json.leave_out();
                return;
            }
            FmgrInfo own;
            FmgrInfo* const output = callable(type, outer, &own);
            const Datum text = call(type, [&] { return CStringGetDatum(OutputFunctionCall(output, value)); });
            json.string(DatumGetCString(text));
            return;
        }
    }
}

}  // namespace

void add_row(jsonb_writer& json, const row_columns& columns, const Datum* values, const bool* nulls,
             const bool* chosen) {
    json.keep_back(around_the_rows);
    add_members(json, columns, values, nulls, chosen, nullptr);
    json.keep_back(0);
}

void add_value(jsonb_writer& json, Datum value, bool null, type_facts& type) {
    add_or_null(json, value, null, type, nullptr);
}

}  // namespace pgpubsub
