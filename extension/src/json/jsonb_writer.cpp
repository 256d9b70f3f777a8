// The value is written from front to back. A container's entries come before the bytes of its parts. So room is left
// for the entries, and each is filled in when its part is complete. The whole value is the only part of an outermost
// level; its entry is written where the length word will be.
#include "json/jsonb_writer.hpp"

#include <algorithm>
#include <limits>

namespace pgpubsub {
namespace {

namespace layout = jsonb_layout;

static_assert(layout::length_mask == JENTRY_OFFLENMASK && layout::ends_here == JENTRY_HAS_OFF);
static_assert(layout::stride == JB_OFFSET_STRIDE && layout::entry_size == sizeof(JEntry));
static_assert(uint32(layout::part::string) == JENTRY_ISSTRING && uint32(layout::part::number) == JENTRY_ISNUMERIC);
static_assert(uint32(layout::part::is_false) == JENTRY_ISBOOL_FALSE &&
              uint32(layout::part::is_true) == JENTRY_ISBOOL_TRUE);
static_assert(uint32(layout::part::null) == JENTRY_ISNULL && uint32(layout::part::container) == JENTRY_ISCONTAINER);
static_assert(uint32(layout::part::mask) == JENTRY_TYPEMASK);
static_assert(uint32(layout::container::scalar) == JB_FSCALAR && uint32(layout::container::object) == JB_FOBJECT);
static_assert(uint32(layout::container::array) == JB_FARRAY && VARHDRSZ == sizeof(uint32));
static_assert(max_jsonb_bytes == layout::length_mask);

constexpr uint32 word = sizeof(uint32);
constexpr uint32 first_capacity = 4096;
constexpr uint32 huge = 1024 * 1024;
constexpr int first_depth = 8;

uint32 header(layout::container kind, int count) { return static_cast<uint32>(kind) | static_cast<uint32>(count); }

uint32 word_at(const char* bytes) {
    uint32 result;
    memcpy(&result, bytes, sizeof result);
    return result;
}

// A bare scalar is stored as an array of one element.
constexpr uint32 scalar_head_size = 2 * word;
constexpr uint32 max_value_bytes = max_jsonb_bytes - scalar_head_size;

std::uint64_t json_text_size_of(std::string_view bytes) {
    auto* const whole = static_cast<Jsonb*>(palloc(VARHDRSZ + bytes.size()));
    SET_VARSIZE(whole, VARHDRSZ + bytes.size());
    memcpy(VARDATA(whole), bytes.data(), bytes.size());
    const std::uint64_t size = json_text_size(whole, std::numeric_limits<std::uint64_t>::max());
    pfree(whole);
    return size;
}

}  // namespace

const object_shape* make_object_shape(std::span<const std::string_view> names) {
    const int count = static_cast<int>(names.size());
    auto* const shape = static_cast<object_shape*>(palloc0(sizeof(object_shape)));
    shape->count_ = count;
    shape->source_ = static_cast<int*>(palloc(count * sizeof(int)));
    shape->ends_ = static_cast<uint32*>(palloc(count * sizeof(uint32)));
    for (int i = 0; i < count; ++i)
        shape->source_[i] = i;
    std::sort(shape->source_, shape->source_ + count,
              [&](int a, int b) { return layout::key_precedes(names[a], names[b]); });

    uint32 end = 0;
    for (int i = 0; i < count; ++i)
        shape->ends_[i] = end += static_cast<uint32>(names[shape->source_[i]].size());
    shape->head_size_ = word + 2 * count * word + end;
    shape->head_ = static_cast<char*>(palloc0(shape->head_size_));
    shape->keys_ = shape->head_ + shape->head_size_ - end;

    char* keys = shape->head_ + shape->head_size_ - end;
    const uint32 first = header(layout::container::object, count);
    memcpy(shape->head_, &first, word);
    for (int i = 0; i < count; ++i) {
        const std::string_view name = names[shape->source_[i]];
        const uint32 entry =
            layout::entry(layout::part::string, i, shape->ends_[i] - shape->length(i), shape->ends_[i]);
        memcpy(shape->head_ + (i + 1) * word, &entry, word);
        memcpy(keys, name.data(), name.size());
        keys += name.size();
        shape->keys_text_size_ += json_text_size(name);
    }
    return shape;
}

jsonb_writer jsonb_writer::make() {
    jsonb_writer result;
    result.buffer_ = static_cast<char*>(palloc(first_capacity));
    result.capacity_ = first_capacity;
    result.outer_ = static_cast<level*>(palloc(first_depth * sizeof(level)));
    result.depth_capacity_ = first_depth;
    result.clear();
    return result;
}

void jsonb_writer::clear() {
    if (capacity_ > huge) {
        buffer_ = static_cast<char*>(repalloc(buffer_, first_capacity));
        capacity_ = first_capacity;
    }
    used_ = VARHDRSZ;
    left_out_ = 0;
    wants_whole_ = false;
    strings_left_ = max_jsonb_bytes;
    excess_ = 0;
    uncounted_left_ = max_uncounted;
    depth_ = 0;
    // At this index the entry is not an offset.
    top_ = {.index = 1, .entry = 0, .data = VARHDRSZ, .value = VARHDRSZ};
    keep_back(0);
}

void jsonb_writer::keep_back(std::size_t bytes) {
    limit_ = max_value_bytes - static_cast<uint32>(std::min<std::size_t>(bytes, max_value_bytes));
    // At least used_: the difference of the two is the room.
    writable_ = std::max(std::min(capacity_, limit_), used_);
}

bool jsonb_writer::grow(std::size_t bytes) {
    if (limit_ < used_ || bytes > limit_ - used_)
        return false;
    const uint32 needed = used_ + static_cast<uint32>(bytes);
    if (needed > capacity_) {
        const uint32 larger = std::max(needed, 2 * capacity_);
        buffer_ = static_cast<char*>(repalloc(buffer_, larger));
        capacity_ = larger;
    }
    writable_ = std::min(capacity_, limit_);
    return true;
}

bool jsonb_writer::count_text(std::uint64_t excess) {
    constexpr std::uint64_t room = max_text - max_uncounted - 2 * std::uint64_t{max_jsonb_bytes};
    if (excess > room - excess_)
        return false;
    excess_ += excess;
    return true;
}

void jsonb_writer::push(level l) {
    if (depth_ == depth_capacity_) {
        outer_ = static_cast<level*>(repalloc(outer_, 2 * depth_capacity_ * sizeof(level)));
        depth_capacity_ *= 2;
    }
    outer_[depth_++] = top_;
    top_ = l;
}

// Begins a container. size: of its bytes before the first value.
bool jsonb_writer::begin(std::size_t size) {
    if (!reserve(size + max_padding)) {
        leave_out();
        return false;
    }
    top_.value = used_;
    pad();
    return true;
}

bool jsonb_writer::begin_object(const object_shape& shape) {
    if (!has_text_room(shape.keys_text_size_, shape.head_size_)) {
        leave_out();
        return false;
    }
    if (!begin(shape.head_size_))
        return false;
    const uint32 start = used_, count = shape.count_;
    put(shape.head_, shape.head_size_);
    push({.index = count, .entry = start + (1 + count) * word, .data = start + (1 + 2 * count) * word, .value = 0});
    return true;
}

bool jsonb_writer::begin_object(const object_shape& shape, const bool* included) {
    uint32 count = 0, keys = 0;
    for (int i = 0; i < shape.count_; ++i)
        if (included[shape.source_[i]]) {
            ++count;
            keys += shape.length(i);
        }
    const uint32 entries = 2 * count * word;
    if (!begin(word + entries + keys))
        return false;
    put_word(header(layout::container::object, static_cast<int>(count)));
    const uint32 start = used_;
    used_ += entries;
    push({.index = 0, .entry = start, .data = start + entries, .value = 0});
    for (int i = 0; i < shape.count_; ++i)
        if (included[shape.source_[i]]) {
            const std::string_view key = shape.key(i);
            const uint32 key_start = used_;
            put(key.data(), key.size());
            add_entry(layout::part::string, key_start, used_);
        }
    return true;
}

bool jsonb_writer::begin_array(int count) {
    const std::size_t entries = static_cast<std::size_t>(count) * word;
    if (!begin(word + entries))
        return false;
    put_word(header(layout::container::array, count));
    const uint32 start = used_;
    used_ += static_cast<uint32>(entries);
    push({.index = 0, .entry = start, .data = used_, .value = 0});
    return true;
}

// Adds a jsonb value, given the bytes that follow its length word. They need not be aligned.
void jsonb_writer::value(std::string_view bytes) {
    // A container's text has at least a quarter of its bytes: a digit with its separator is stored in twelve bytes.
    const bool is_container = (word_at(bytes.data()) & uint32(layout::container::scalar)) == 0;
    const bool is_string =
        !is_container && (word_at(bytes.data() + word) & uint32(layout::part::mask)) == JENTRY_ISSTRING;
    const std::size_t strings = is_container ? bytes.size() / 4 : is_string ? bytes.size() - scalar_head_size : 0;
    if (strings > strings_left_ || !reserve(bytes.size() + max_padding) ||
        (!is_uncounted(worst_of_jsonb * bytes.size()) && !has_text_room(json_text_size_of(bytes), bytes.size())))
        return leave_out();
    strings_left_ -= strings;
    const uint32 start = used_;
    if (is_container) {
        pad();
        put(bytes.data(), bytes.size());
        add_entry(layout::part::container, start, used_);
        return;
    }
    const auto type = static_cast<layout::part>(word_at(bytes.data() + word) & uint32(layout::part::mask));
    if (type == layout::part::number)
        pad();
    bytes.remove_prefix(scalar_head_size);
    put(bytes.data(), bytes.size());
    add_entry(type, start, used_);
}

const Jsonb* jsonb_writer::finish() {
    Assert(depth_ == 0 && top_.index == 2);
    const auto type = static_cast<layout::part>(word_at(buffer_) & uint32(layout::part::mask));
    if (type != layout::part::container) {
        keep_back(0);
        // max_value_bytes leaves the room for the head. The bytes keep their alignment when they move.
        const uint32 size = used_ - VARHDRSZ;
        if (used_ + scalar_head_size > capacity_) {
            capacity_ += scalar_head_size;
            buffer_ = static_cast<char*>(repalloc(buffer_, capacity_));
        }
        memmove(buffer_ + VARHDRSZ + scalar_head_size, buffer_ + VARHDRSZ, size);
        const uint32 head[] = {header(layout::container::scalar, 1) | uint32(layout::container::array),
                               layout::entry(type, 0, 0, size)};
        memcpy(buffer_ + VARHDRSZ, head, sizeof head);
        used_ += scalar_head_size;
    }
    SET_VARSIZE(buffer_, used_);
    return reinterpret_cast<const Jsonb*>(buffer_);
}

}  // namespace pgpubsub
