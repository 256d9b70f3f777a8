// Builds one jsonb value piece by piece, in the current memory context.
//
// Strings are not copied before finish(), so they must live until then. What would make the whole larger than jsonb can be is
// left out, with null in its place, and is_truncated() tells so: a capture must not fail the user's INSERT.
#pragma once

#include "limits.hpp"
#include "pg.hpp"

namespace pgpubsub {

class jsonb_builder {
public:
    void begin_object() { push(WJB_BEGIN_OBJECT, nullptr); }
    void end_object() { push(WJB_END_OBJECT, nullptr); }
    void begin_array() { push(WJB_BEGIN_ARRAY, nullptr); }
    void end_array() { push(WJB_END_ARRAY, nullptr); }

    // The key of the object's next value.
    void key(std::string_view name) {
        JsonbValue value;
        set_string(&value, name);
        push(WJB_KEY, &value);
    }

    // Takes room for so many bytes more; false when there is not so much.
    bool reserve(std::size_t bytes) {
        if (bytes > room_)
            return false;
        room_ -= bytes;
        return true;
    }
    // Puts null in the place of a value that is too large.
    void leave_out() {
        truncated_ = true;
        null();
    }
    bool is_truncated() const { return truncated_; }
    // What a value needs beside its own bytes: its entry in the container, and padding.
    static constexpr std::size_t overhead = 2 * sizeof(JEntry);

    void null() {
        JsonbValue value;
        value.type = jbvNull;
        add(&value);
    }
    void boolean(bool b) {
        JsonbValue value;
        value.type = jbvBool;
        value.val.boolean = b;
        add(&value);
    }
    void number(Numeric n) {
        if (!reserve(VARSIZE_ANY(n)))
            return leave_out();
        JsonbValue value;
        value.type = jbvNumeric;
        value.val.numeric = n;
        add(&value);
    }
    void string(std::string_view s) {
        if (!reserve(s.size()))
            return leave_out();
        JsonbValue value;
        set_string(&value, s);
        add(&value);
    }
    // A value that is jsonb already, of any kind.
    void value(const Jsonb* jsonb) {
        if (!reserve(VARSIZE(jsonb)))
            return leave_out();
        JsonbIterator* it = JsonbIteratorInit(const_cast<JsonbContainer*>(&jsonb->root));
        JsonbValue part;
        if (JB_ROOT_IS_SCALAR(jsonb)) {
            // A bare scalar is stored as an array of one.
            JsonbIteratorNext(&it, &part, true);
            JsonbIteratorNext(&it, &part, true);
            add(&part);
            return;
        }
        JsonbIteratorToken token;
        while ((token = JsonbIteratorNext(&it, &part, false)) != WJB_DONE) {
            const bool has_value = token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM;
            push(token, has_value ? &part : nullptr);
        }
    }

    Jsonb* finish() { return JsonbValueToJsonb(state_.result); }

private:
    static void set_string(JsonbValue* value, std::string_view s) {
        value->type = jbvString;
        value->val.string.val = const_cast<char*>(s.data());
        value->val.string.len = static_cast<int>(s.size());
    }
    void add(JsonbValue* value) { push(state_.parseState->contVal.type == jbvArray ? WJB_ELEM : WJB_VALUE, value); }
    void push(JsonbIteratorToken token, JsonbValue* value) { push_jsonb(&state_, token, value); }

    jsonb_state state_{};
    // A little is kept back for what is not counted: the few members around the rows.
    std::size_t room_ = max_jsonb_bytes - 64 * 1024;
    bool truncated_ = false;
};
static_assert(survives_longjmp<jsonb_builder>);

}  // namespace pgpubsub
