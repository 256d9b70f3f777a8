// Facts come from the system caches. Each CREATE TABLE anywhere in the database makes a type, and must not cause all
// captured tables to be described anew. So the hash values of the cache entries from which facts came are remembered in
// a set. The set may take other entries for them, but never misses one. Built-in types and functions don't change.
#include "json/type_facts.hpp"

#include "pg/compat.hpp"
#include "pg/hash_table.hpp"
#include "pg/text_size.hpp"

namespace pgpubsub {
namespace {

uint64 generation = 1;

// A set of hash values, as bits.
class hash_set {
public:
    void add(uint32 hash) { bit(hash) |= mask(hash); }
    bool may_have(uint32 hash) { return (bit(hash) & mask(hash)) != 0; }

private:
    static constexpr uint32 size = 4096;
    static uint64 mask(uint32 hash) { return uint64{1} << (hash % 64); }
    uint64& bit(uint32 hash) { return bits_[hash / 64 % (size / 64)]; }
    uint64 bits_[size / 64];
};
hash_set known_types, known_casts, known_functions;

void type_changed(Datum known, syscache_id, uint32 hash) {
    // Zero stands for all entries.
    if (hash == 0 || reinterpret_cast<hash_set*>(DatumGetPointer(known))->may_have(hash))
        ++generation;
}

// Returns the function from the type to json that a CREATE CAST names, or InvalidOid. No cast of a built-in type
// counts.
Oid cast_to_json(Oid type) {
    if (type < FirstNormalObjectId)
        return InvalidOid;
    known_casts.add(GetSysCacheHashValue2(CASTSOURCETARGET, ObjectIdGetDatum(type), ObjectIdGetDatum(JSONOID)));
    Oid function = InvalidOid;
    return find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC ? function
                                                                                                    : InvalidOid;
}

// Returns the form of built-in types that need no look-up; `output` for all others.
json_form known_form(Oid type) {
    switch (type) {
        case BOOLOID: return json_form::boolean;
        case INT2OID: return json_form::int2;
        case INT4OID: return json_form::int4;
        case INT8OID: return json_form::int8;
        case NUMERICOID: return json_form::numeric;
        case FLOAT4OID:
        case FLOAT8OID: return json_form::real;
        case DATEOID:
        case TIMESTAMPOID: return json_form::date_time;
        case TIMESTAMPTZOID: return json_form::time_with_zone;
        case UUIDOID: return json_form::uuid;
        case JSONOID: return json_form::json;
        case JSONBOID: return json_form::jsonb;
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID: return json_form::string;
        default: return json_form::output;
    }
}

json_form form_of(Oid base) {
    if (const json_form known = known_form(base); known != json_form::output)
        return known;
    if (OidIsValid(get_element_type(base)))
        return json_form::array;
    if (type_is_rowtype(base))
        return json_form::composite;
    return OidIsValid(cast_to_json(base)) ? json_form::cast_to_json : json_form::output;
}

bool type_is_varlena(json_form form, Oid base) {
    switch (form) {
        case json_form::numeric:
        case json_form::json:
        case json_form::jsonb:
        case json_form::string:
        case json_form::array:
        case json_form::composite: return true;
        case json_form::cast_to_json:
        case json_form::output: return get_typlen(base) == -1;
        default: return false;
    }
}

void read_function(type_facts* facts, Oid function) {
    if (function >= FirstNormalObjectId)
        known_functions.add(GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function)));
    fmgr_info_cxt(function, &facts->function, facts->graph->memory);
}

// Reads the cast's function together with the call as an expression. There a function for many types (anyenum, ...)
// finds the type for which it is called.
void read_cast(type_facts* facts, Oid function) {
    read_function(facts, function);
    with_context(facts->graph->memory, [facts, function] {
        List* const arguments = list_make1(makeNullConst(facts->base, -1, InvalidOid));
        fmgr_info_set_expr(reinterpret_cast<Node*>(makeFuncExpr(function, JSONOID, arguments, InvalidOid, InvalidOid,
                                                                COERCE_EXPLICIT_CAST)),
                           &facts->function);
        return true;
    });
}

// Returns whether the text of a value may differ between sessions. For types that aren't known it may.
bool output_depends_on_settings(Oid base) {
    switch (base) {
        case OIDOID:
        case NAMEOID:
        case CHAROID:
        case BITOID:
        case VARBITOID:
        case TIMEOID:
        case INETOID:
        case CIDROID:
        case MACADDROID:
        case MACADDR8OID:
        case PG_LSNOID:
        case XIDOID:
        case XID8OID:
        case TIDOID:
        case INT4RANGEOID:
        case INT8RANGEOID:
        case NUMRANGEOID:
        case INT4MULTIRANGEOID:
        case INT8MULTIRANGEOID:
        case NUMMULTIRANGEOID: return false;
        default: return get_typtype(base) != TYPTYPE_ENUM;
    }
}

void read_element(type_facts* facts) {
    const Oid element = get_element_type(facts->base);
    get_typlenbyvalalign(element, &facts->element_length, &facts->element_by_value, &facts->element_alignment);
    facts->element = static_cast<type_facts*>(MemoryContextAlloc(facts->graph->memory, sizeof(type_facts)));
    *facts->element = unread_type(facts->graph, element);
}

row_type* row_type_of(type_graph* graph, Oid type) {
    if (graph->row_types == nullptr) {
        graph->row_types = make_hash_table<Oid, row_type>("pgpubsub row types", graph->memory, 16);
    }
    bool found;
    auto* const row = static_cast<row_type*>(hash_search(graph->row_types, &type, HASH_ENTER, &found));
    if (!found)
        *row = {.type = type};
    return row;
}

}  // namespace

void watch_types() {
    CacheRegisterSyscacheCallback(TYPEOID, type_changed, PointerGetDatum(&known_types));
    CacheRegisterSyscacheCallback(CASTSOURCETARGET, type_changed, PointerGetDatum(&known_casts));
    CacheRegisterSyscacheCallback(PROCOID, type_changed, PointerGetDatum(&known_functions));
}

uint64 type_generation() { return generation; }

void watch_type(Oid type) {
    if (type >= FirstNormalObjectId)
        known_types.add(GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type)));
}

type_graph* make_type_graph(bool is_for_keys) {
    auto* const graph = static_cast<type_graph*>(palloc(sizeof(type_graph)));
    *graph = {.memory = CurrentMemoryContext, .is_for_keys = is_for_keys};
    return graph;
}

type_facts unread_type(type_graph* graph, Oid type) {
    return {.form = json_form::unread, .base = type, .graph = graph};
}

void read_type(type_facts* unread) {
    const Oid type = unread->base;
    // This comes before the type is read: a change that arrives meanwhile shows later.
    watch_type(type);
    type_facts facts = *unread;
    facts.base = known_form(type) == json_form::output ? getBaseType(type) : type;
    facts.form = form_of(facts.base);
    facts.is_varlena = type_is_varlena(facts.form, facts.base);
    switch (facts.form) {
        case json_form::array: read_element(&facts); break;
        case json_form::composite:
            facts.row = facts.base == RECORDOID ? nullptr : row_type_of(facts.graph, facts.base);
            break;
        case json_form::cast_to_json:
            read_cast(&facts, cast_to_json(facts.base));
            facts.depends_on_settings = true;
            break;
        case json_form::output: {
            Oid function;
            bool is_varlena;
            getTypeOutputInfo(facts.base, &function, &is_varlena);
            read_function(&facts, function);
            facts.has_text_of_any_size = has_text_of_any_size(facts.base);
            facts.depends_on_settings = output_depends_on_settings(facts.base);
            break;
        }
        default: break;
    }
    *unread = facts;
}

// Asks for nothing of the columns' types. So it can't fail half-way, and takes the same time for any type.
const row_columns* describe_columns(type_graph* graph, TupleDesc desc, std::span<const AttrNumber> which) {
    const int all = which.empty() ? desc->natts : static_cast<int>(which.size());
    auto* const names = static_cast<std::string_view*>(palloc(all * sizeof(std::string_view)));
    auto* const numbers = static_cast<int*>(palloc(all * sizeof(int)));
    int count = 0;
    for (int i = 0; i < all; ++i) {
        const int column = which.empty() ? i : which[i] - 1;
        const Form_pg_attribute attribute = TupleDescAttr(desc, column);
        if (attribute->attisdropped)
            continue;
        names[count] = NameStr(attribute->attname);
        numbers[count++] = column;
    }

    row_columns* const columns = with_context(graph->memory, [&] {
        auto* const result = static_cast<row_columns*>(palloc(sizeof(row_columns)));
        result->shape = make_object_shape({names, static_cast<std::size_t>(count)});
        result->members = static_cast<row_columns::member*>(palloc(Max(count, 1) * sizeof(row_columns::member)));
        result->columns = desc->natts;
        return result;
    });
    for (int i = 0; i < count; ++i) {
        row_columns::member& m = columns->members[i];
        m.column = numbers[columns->shape->source(i)];
        m.type = unread_type(graph, TupleDescAttr(desc, m.column)->atttypid);
    }
    pfree(names);
    pfree(numbers);
    return columns;
}

const row_columns* columns_of(const type_facts& facts, HeapTupleHeader value, TupleDesc* desc) {
    const Oid type = HeapTupleHeaderGetTypeId(value);
    if (facts.row == nullptr || type != facts.row->type) {
        *desc = lookup_rowtype_tupdesc_copy(type, HeapTupleHeaderGetTypMod(value));
        return describe_columns(make_type_graph(facts.graph->is_for_keys), *desc, {});
    }
    row_type& row = *facts.row;
    const TypeCacheEntry& now = *lookup_type_cache(type, TYPECACHE_TUPDESC);
    *desc = now.tupDesc;
    if (row.columns == nullptr || now.tupDesc_identifier != row.identifier) {
        row.columns = describe_columns(facts.graph, now.tupDesc, {});
        row.identifier = now.tupDesc_identifier;
    }
    return row.columns;
}

}  // namespace pgpubsub
