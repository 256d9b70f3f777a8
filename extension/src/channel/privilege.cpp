// The rights on channels: which role may do what.
#include "channel/channel.hpp"
#include "channel/channel_cache.hpp"

namespace pgpubsub {

Oid owner_of(const channel& c) {
    const remembered_channel* const entry = look_up_channel(c.id);
    for (int i = 0; entry != nullptr && i < entry->grant_count; ++i)
        if (entry->grants[i].what == privilege::owner)
            return entry->grants[i].grantee;
    return InvalidOid;
}

bool has_privilege(int32 channel_id, Oid role, privilege wanted) {
    if (superuser_arg(role))
        return true;
    const remembered_channel* const entry = look_up_channel(channel_id);
    if (entry == nullptr)
        return false;
    // The look-ups of roles below may deliver an invalidation. Only the next look-up of a channel acts on it.
    for (int i = 0; i < entry->grant_count; ++i) {
        const remembered_grant& g = entry->grants[i];
        if ((g.what == wanted || g.what == privilege::owner) && has_privs_of_role(role, g.grantee))
            return true;
    }
    return false;
}

void check_privilege(const channel& c, Oid role, privilege wanted) {
    if (has_privilege(c.id, role, wanted))
        return;
    const char* const role_name = GetUserNameFromId(role, true);
    const char* const shown = role_name == nullptr ? "?" : role_name;
    if (wanted == privilege::owner)
        ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of channel \"%s\"", c.name),
                errdetail("Role \"%s\" does not own it.", shown));
    ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for channel \"%s\"", c.name),
            errdetail("Role \"%s\" has no %s privilege on it.", shown, privilege_name(wanted)),
            errhint("The channel's owner can run SELECT pgpubsub.grant_channel(%s, %s, '%s').",
                    quote_literal_cstr(c.name), quote_literal_cstr(quote_identifier(shown)), privilege_name(wanted)));
}

// The ids are read first, since looking a right up may read the table again.
std::span<const channel> channels_with(Oid role, privilege wanted) {
    const std::span<const int32> ids = all_channel_ids();
    auto* const result = static_cast<channel*>(palloc(Max(ids.size(), std::size_t{1}) * sizeof(channel)));
    std::size_t found = 0;
    for (const int32 id : ids)
        if (has_privilege(id, role, wanted) && find_channel(id, &result[found]))
            ++found;
    pfree(const_cast<int32*>(ids.data()));
    return {result, found};
}

std::span<const channel> consumable_channels(Oid role) { return channels_with(role, privilege::consume); }

std::span<const subscription> consumable_subscriptions(Oid role) {
    const std::span<const channel> channels = consumable_channels(role);
    subscription* result = nullptr;
    std::size_t count = 0;
    for (const channel& c : channels) {
        const std::span<const subscription> more = subscriptions_of(c);
        if (more.empty())
            continue;
        const Size bytes = (count + more.size()) * sizeof(subscription);
        result = static_cast<subscription*>(result == nullptr ? palloc(bytes) : repalloc(result, bytes));
        memcpy(result + count, more.data(), more.size_bytes());
        count += more.size();
    }
    return {result, count};
}

privilege parse_privilege(std::string_view name) {
    if (name == "publish")
        return privilege::publish;
    if (name == "consume")
        return privilege::consume;
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
            errmsg("unrecognized channel privilege \"%s\"", c_string(name)),
            errhint("The privileges are \"publish\" and \"consume\"."));
}

const char* privilege_name(privilege p) {
    return p == privilege::owner ? "owner" : p == privilege::publish ? "publish" : "consume";
}

}  // namespace pgpubsub
