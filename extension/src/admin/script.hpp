// Shared helpers of the functions that only the extension's scripts call: each script makes those that it needs, and
// drops them.
#pragma once

#include "channel/catalog.hpp"

namespace pgpubsub {

// Returns the extension on which CREATE or ALTER EXTENSION is at work.
// Errors: object_not_in_prerequisite_state (55000) if there is none.
inline Oid extension_of_script() {
    const Oid extension = our_extension();
    if (!creating_extension || CurrentExtensionObject != extension)
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("this function is only for the scripts of extension \"pgpubsub\""));
    return extension;
}

}  // namespace pgpubsub
