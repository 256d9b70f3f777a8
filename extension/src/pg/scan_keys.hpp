// Keys for scans. `column` is the number of the index's column, or of the table's column if the scan wants that.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

inline ScanKeyData scan_key(AttrNumber column, StrategyNumber strategy, RegProcedure procedure, Datum value) {
    ScanKeyData key;
    ScanKeyInit(&key, column, strategy, procedure, value);
    return key;
}

inline ScanKeyData equals_int4(AttrNumber column, int32 value) {
    return scan_key(column, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(value));
}

inline ScanKeyData equals_oid(AttrNumber column, Oid value) {
    return scan_key(column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
}

inline ScanKeyData equals_int2(AttrNumber column, int16 value) {
    return scan_key(column, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(value));
}
inline ScanKeyData from_int2(AttrNumber column, int16 value) {
    return scan_key(column, BTGreaterEqualStrategyNumber, F_INT2GE, Int16GetDatum(value));
}
inline ScanKeyData until_int2(AttrNumber column, int16 value) {
    return scan_key(column, BTLessEqualStrategyNumber, F_INT2LE, Int16GetDatum(value));
}

inline ScanKeyData above_int4(AttrNumber column, int32 value) {
    return scan_key(column, BTGreaterStrategyNumber, F_INT4GT, Int32GetDatum(value));
}

inline ScanKeyData equals_int8(AttrNumber column, int64 value) {
    return scan_key(column, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(value));
}
inline ScanKeyData from_int8(AttrNumber column, int64 value) {
    return scan_key(column, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(value));
}
inline ScanKeyData above_int8(AttrNumber column, int64 value) {
    return scan_key(column, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(value));
}

inline ScanKeyData from_time(AttrNumber column, TimestampTz value) {
    return scan_key(column, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE, TimestampTzGetDatum(value));
}
inline ScanKeyData after_time(AttrNumber column, TimestampTz value) {
    return scan_key(column, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT, TimestampTzGetDatum(value));
}
inline ScanKeyData until_time(AttrNumber column, TimestampTz value) {
    return scan_key(column, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, TimestampTzGetDatum(value));
}
inline ScanKeyData before_time(AttrNumber column, TimestampTz value) {
    return scan_key(column, BTLessStrategyNumber, F_TIMESTAMPTZ_LT, TimestampTzGetDatum(value));
}

// For a column with COLLATE "C".
inline ScanKeyData equals_text(AttrNumber column, const text* value) {
    ScanKeyData key;
    ScanKeyEntryInitialize(&key, 0, column, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, F_TEXTEQ,
                           PointerGetDatum(value));
    return key;
}

}  // namespace pgpubsub
