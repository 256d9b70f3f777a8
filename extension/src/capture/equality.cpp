// For a row type, an array or a range, PostgreSQL's type cache answers by what the parts could do when it looked. It
// does not notice a change (ALTER TYPE ... ADD ATTRIBUTE) of a row type that is a part of another type; then the
// equality that it returns fails. Therefore the parts are checked too.
#include "capture/equality.hpp"

namespace pgpubsub {
namespace {

bool has_equality(Oid type, List** seen);

bool columns_have_equality(Oid row_type, List** seen) {
    const TupleDesc columns = lookup_rowtype_tupdesc(row_type, -1);
    bool result = true;
    for (int i = 0; result && i < columns->natts; ++i)
        if (const Form_pg_attribute column = TupleDescAttr(columns, i); !column->attisdropped)
            result = has_equality(column->atttypid, seen);
    ReleaseTupleDesc(columns);
    return result;
}

bool parts_have_equality(Oid type, List** seen) {
    if (const Oid element = get_element_type(type); OidIsValid(element))
        return has_equality(element, seen);
    switch (get_typtype(type)) {
        case TYPTYPE_COMPOSITE: return columns_have_equality(type, seen);
        case TYPTYPE_RANGE: return has_equality(get_range_subtype(type), seen);
        case TYPTYPE_MULTIRANGE: return has_equality(get_multirange_range(type), seen);
        default: return true;
    }
}

// Each type is checked once, even if many other types contain it.
bool has_equality(Oid type, List** seen) {
    const Oid base = getBaseType(type);
    if (list_member_oid(*seen, base))
        return true;
    *seen = lappend_oid(*seen, base);
    CHECK_FOR_INTERRUPTS();
    if (!OidIsValid(lookup_type_cache(base, TYPECACHE_EQ_OPR)->eq_opr))
        return false;
    // The parts of PostgreSQL's own types do not change. Types that are nested too deep for the stack can't be
    // compared.
    return base < FirstNormalObjectId || (!stack_is_too_deep() && parts_have_equality(base, seen));
}

}  // namespace

Oid equality_of(Oid type) {
    List* seen = NIL;
    const bool has = has_equality(type, &seen);
    list_free(seen);
    return has ? lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO)->eq_opr_finfo.fn_oid : InvalidOid;
}

}  // namespace pgpubsub
