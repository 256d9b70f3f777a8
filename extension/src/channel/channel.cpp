// Finds channels and subscriptions by name or id, and reports those that do not exist.
#include "channel/channel.hpp"

#include "channel/channel_cache.hpp"

namespace pgpubsub {

problem problem_of_name(std::string_view name, const char* what) {
    if (name.empty())
        return {ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s name is empty", what), nullptr,
                psprintf("A %s name has 1 to %d bytes.", what, NAMEDATALEN - 1)};
    if (name.size() > max_channel_bytes)
        return {ERRCODE_NAME_TOO_LONG, psprintf("%s name \"%s\" is too long", what, c_string(name)),
                psprintf("It has %d bytes; the limit is %d bytes.", static_cast<int>(name.size()), NAMEDATALEN - 1),
                nullptr};
    return {};
}

void check_name(std::string_view name, const char* what) {
    if (const problem p = problem_of_name(name, what); p.exists())
        raise(p);
}

bool find_channel(std::string_view name, channel* result) {
    check_name(name, "channel");
    const remembered_channel* const entry = look_up_channel(name);
    if (entry != nullptr)
        *result = entry->what;
    return entry != nullptr;
}

bool find_channel(int32 id, channel* result) {
    const remembered_channel* const entry = look_up_channel(id);
    if (entry != nullptr)
        *result = entry->what;
    return entry != nullptr;
}

namespace {

// Returns the most similar name of a channel on which the user has a right; null if none is similar.
const char* similar_name(std::string_view name) {
    const Oid role = GetUserId();
    int best_distance = Min(3, static_cast<int>(name.size()) / 2) + 1;
    const char* best = nullptr;
    for (const int32 id : all_channel_ids()) {
        channel c;
        if (!find_channel(id, &c))
            continue;
        const int distance = varstr_levenshtein_less_equal(c.name, static_cast<int>(strlen(c.name)), name.data(),
                                                           static_cast<int>(name.size()), 1, 1, 1, best_distance, true);
        if (distance < best_distance &&
            (has_privilege(c.id, role, privilege::publish) || has_privilege(c.id, role, privilege::consume))) {
            best_distance = distance;
            best = pstrdup(c.name);
        }
    }
    return best;
}

[[noreturn]] void no_such_channel(std::string_view name, if_missing advice) {
    char* const text = c_string(name);
    const char* const similar = advice == if_missing::look_for_another ? similar_name(name) : nullptr;
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("channel \"%s\" does not exist", text),
            advice == if_missing::make_it ? errhint("SELECT name FROM pgpubsub.channels lists those that there are; "
                                                    "SELECT pgpubsub.create_channel(%s) makes "
                                                    "this one, and so does a capture trigger when it first fires.",
                                                    quote_literal_cstr(text))
            : similar != nullptr          ? errhint("Perhaps you meant channel \"%s\".", similar)
                                          : errhint("SELECT name FROM pgpubsub.channels lists those that there are."));
}

}  // namespace

channel get_channel(std::string_view name, if_missing advice) {
    channel found;
    if (!find_channel(name, &found))
        no_such_channel(name, advice);
    return found;
}

channel get_queue_channel(std::string_view name, if_missing advice) {
    const channel c = get_channel(name, advice);
    if (c.kind != channel_kind::queue)
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("channel \"%s\" is a broadcast channel", c.name),
                errdetail("Broadcasts are not stored for consumers to claim."),
                errhint("Use LISTEN to receive them, or a queue channel."));
    return c;
}

namespace {

// Returns a copy that does not depend on the memory of channels.
subscription copy_of(const subscription& s) {
    subscription copy = s;
    if (s.filter != nullptr)
        copy.filter = static_cast<const Jsonb*>(memcpy(palloc(VARSIZE(s.filter)), s.filter, VARSIZE(s.filter)));
    return copy;
}

}  // namespace

bool find_subscription(const channel& c, std::string_view name, subscription* result) {
    const remembered_channel* const entry = look_up_channel(c.id);
    for (int i = 0; entry != nullptr && i < entry->subscription_count; ++i)
        if (name == entry->subscriptions[i].name) {
            *result = copy_of(entry->subscriptions[i]);
            return true;
        }
    return false;
}

bool find_subscription(int32 id, subscription* result) {
    int32 channel_id;
    if (!find_channel_id(id, &channel_id))
        return false;
    const remembered_channel* const entry = look_up_channel(channel_id);
    for (int i = 0; entry != nullptr && i < entry->subscription_count; ++i)
        if (id == entry->subscriptions[i].id) {
            *result = copy_of(entry->subscriptions[i]);
            return true;
        }
    return false;
}

subscription get_subscription(const channel& c, std::string_view name) {
    subscription found;
    if (!find_subscription(c, name, &found)) {
        char* const text = c_string(name);
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                errmsg("subscription \"%s\" of channel \"%s\" does not exist", text, c.name),
                errhint("SELECT channel, subscription FROM pgpubsub.subscriptions lists those that there are; "
                        "SELECT pgpubsub.subscribe(%s, %s) makes this one.",
                        quote_literal_cstr(c.name), quote_literal_cstr(text)));
    }
    return found;
}

std::span<const subscription> subscriptions_of(const channel& c) {
    const remembered_channel* const entry = look_up_channel(c.id);
    if (entry == nullptr || entry->subscription_count == 0)
        return {};
    auto* const result = static_cast<subscription*>(palloc(entry->subscription_count * sizeof(subscription)));
    for (int i = 0; i < entry->subscription_count; ++i)
        result[i] = copy_of(entry->subscriptions[i]);
    return {result, static_cast<std::size_t>(entry->subscription_count)};
}

}  // namespace pgpubsub
