#include "pg/text_size.hpp"

#include "pg/element_memory.hpp"
#include "pure/limits.hpp"

namespace pgpubsub {
namespace {

struct size_bound {
    uint64 bytes;
    uint64 quotes;  // how many of the bytes double when the text is quoted
};

constexpr size_bound too_large = {max_jsonb_bytes + 1, 0};

size_bound operator+(size_bound a, size_bound b) { return {a.bytes + b.bytes, a.quotes + b.quotes}; }

// Returns the bound of a part of a row, an array or a range.
size_bound quoted(size_bound part) { return {part.bytes + part.quotes + 2, 2 * part.quotes + 2}; }

size_bound bound_of(Datum value, Oid type);

size_bound bound_of_range(TypeCacheEntry* type, const RangeType* range) {
    RangeBound lower, upper;
    bool empty;
    range_deserialize(type, range, &lower, &upper, &empty);
    size_bound sum = {sizeof "(empty,)", 0};
    const Oid subtype = type->rngelemtype->type_id;
    if (!empty && !lower.infinite)
        sum = sum + quoted(bound_of(lower.val, subtype));
    if (!empty && !upper.infinite)
        sum = sum + quoted(bound_of(upper.val, subtype));
    return sum;
}

size_bound bound_of_multirange(Datum value, Oid type) {
    TypeCacheEntry* const range = lookup_type_cache(type, TYPECACHE_MULTIRANGE_INFO)->rngtype;
    int32 count;
    RangeType** ranges;
    multirange_deserialize(range, DatumGetMultirangeTypeP(value), &count, &ranges);
    size_bound sum = {2, 0};
    element_memory memory = element_memory::begin(count);
    for (int i = 0; i < count && sum.bytes <= max_jsonb_bytes; ++i)
        memory.run([&] { sum = sum + bound_of_range(range, ranges[i]) + size_bound{1, 0}; });
    memory.end();
    return sum;
}

size_bound bound_of_array(Datum value, Oid element) {
    ArrayType* const array = DatumGetArrayTypeP(value);
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(element, &length, &by_value, &alignment);
    Datum* values;
    bool* nulls;
    int count;
    deconstruct_array(array, element, length, by_value, alignment, &values, &nulls, &count);
    constexpr uint64 around = MAXDIM * sizeof "[-1234567890:-1234567890]{}";
    size_bound sum = {around, 0};
    element_memory memory = element_memory::begin(count);
    for (int i = 0; i < count && sum.bytes <= max_jsonb_bytes; ++i)
        memory.run([&] {
            sum = sum + size_bound{2 * MAXDIM, 0} +
                  (nulls[i] ? size_bound{sizeof "NULL", 0} : quoted(bound_of(values[i], element)));
        });
    memory.end();
    return sum;
}

size_bound bound_of_row(Datum value) {
    const HeapTupleHeader header = DatumGetHeapTupleHeader(value);
    const TupleDesc desc =
        lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    auto* const values = static_cast<Datum*>(palloc(Max(desc->natts, 1) * sizeof(Datum)));
    auto* const nulls = static_cast<bool*>(palloc(Max(desc->natts, 1) * sizeof(bool)));
    heap_deform_tuple(&tuple, desc, values, nulls);
    size_bound sum = {2, 0};
    for (int i = 0; i < desc->natts && sum.bytes <= max_jsonb_bytes; ++i)
        sum = sum + size_bound{1, 0} +
              (nulls[i] ? size_bound{} : quoted(bound_of(values[i], TupleDescAttr(desc, i)->atttypid)));
    return sum;
}

// factor: bytes of text for each byte of the value. quotes: how many of these double when quoted.
size_bound bound_of_varlena(Datum value, int factor, int quotes) {
    const uint64 bytes = toast_raw_datum_size(value);
    return {factor * bytes + 2, quotes * bytes + 2};
}

size_bound bound_of(Datum value, Oid type) {
    CHECK_FOR_INTERRUPTS();
    if (stack_is_too_deep())
        return too_large;
    const Oid base = getBaseType(type);
    switch (base) {
        case NUMERICOID: return {numeric_text_size(VARDATA_ANY(PG_DETOAST_DATUM_PACKED(value))), 0};
        case JSONBOID: {
            const uint64 bytes = json_text_size(DatumGetJsonbP(value), max_jsonb_bytes);
            return {bytes, bytes};
        }
        case BITOID:
        case VARBITOID: return bound_of_varlena(value, BITS_PER_BYTE, 0);
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
        case JSONOID:
        case XMLOID: return bound_of_varlena(value, 1, 1);
        default: break;
    }
    if (const Oid element = get_element_type(base); OidIsValid(element))
        return bound_of_array(value, element);
    switch (get_typtype(base)) {
        case TYPTYPE_RANGE:
            return bound_of_range(lookup_type_cache(base, TYPECACHE_RANGE_INFO), DatumGetRangeTypeP(value));
        case TYPTYPE_MULTIRANGE: return bound_of_multirange(value, base);
        case TYPTYPE_COMPOSITE: return bound_of_row(value);
        default: break;
    }
    constexpr size_bound fixed_length = {4 * NAMEDATALEN, NAMEDATALEN};
    return get_typlen(base) == -1 ? bound_of_varlena(value, 4, 2) : fixed_length;
}

}  // namespace

uint64 text_size(Datum value, Oid type) { return bound_of(value, type).bytes; }

// Reads numeric's format (numeric.c): a header with the scale and with the weight of the first digit, in base 10,000.
uint64 numeric_text_size(const char* bytes) {
    uint16 header;
    memcpy(&header, bytes, sizeof header);
    constexpr uint16 special = 0xc000, short_form = 0x8000;
    if ((header & special) == special)
        return sizeof "-Infinity";
    int weight, scale;
    if ((header & special) == short_form) {
        scale = (header & 0x1f80) >> 7;
        weight = (header & 0x0040) != 0 ? static_cast<int>(header & 0x003f) - 64 : header & 0x003f;
    } else {
        int16 stored;
        memcpy(&stored, bytes + sizeof header, sizeof stored);
        scale = header & 0x3fff;
        weight = stored;
    }
    return 3 + 4 * static_cast<uint64>(Max(weight + 1, 0)) + static_cast<uint64>(scale);
}

uint64 json_text_size(std::string_view string) {
    uint64 size = 2;
    for (const char each : string) {
        const auto c = static_cast<unsigned char>(each);
        const bool has_escape = c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f';
        size += has_escape ? 2 : c < ' ' ? 6 : 1;
    }
    return size;
}

namespace {

uint64 longest_json_text(std::string_view string) { return 2 + 6 * uint64{string.size()}; }

template <typename StringSize>
uint64 json_text_size(const Jsonb* json, uint64 limit, StringSize string_size) {
    JsonbIterator* at = JsonbIteratorInit(const_cast<JsonbContainer*>(&json->root));
    uint64 size = 0;
    JsonbValue part;
    JsonbIteratorToken token;
    while (size <= limit && (token = JsonbIteratorNext(&at, &part, false)) != WJB_DONE) {
        CHECK_FOR_INTERRUPTS();
        size += 2;  // for a bracket, or the separator before the next part
        if (token != WJB_KEY && token != WJB_VALUE && token != WJB_ELEM)
            continue;
        if (part.type == jbvString)
            size += string_size(std::string_view{part.val.string.val, static_cast<std::size_t>(part.val.string.len)});
        else if (part.type == jbvNumeric)
            size += numeric_text_size(VARDATA_ANY(part.val.numeric));
        else
            size += sizeof "false";
    }
    return size;
}

}  // namespace

uint64 json_text_size(const Jsonb* json, uint64 limit) {
    return json_text_size(json, limit, [](std::string_view s) { return json_text_size(s); });
}

uint64 longest_json_text(const Jsonb* json, uint64 limit) {
    return json_text_size(json, limit, [](std::string_view s) { return longest_json_text(s); });
}

bool has_text_of_any_size(Oid base) {
    const char kind = get_typtype(base);
    if (kind != TYPTYPE_RANGE && kind != TYPTYPE_MULTIRANGE)
        return false;
    const Oid subtype = kind == TYPTYPE_RANGE
                            ? get_range_subtype(base)
                            : lookup_type_cache(base, TYPECACHE_MULTIRANGE_INFO)->rngtype->rngelemtype->type_id;
    return get_typlen(getBaseType(subtype)) == -1;
}

}  // namespace pgpubsub
