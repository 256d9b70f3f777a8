// Writes a jsonb value directly, in the order and with the bytes in which it is stored.
//
// Guarantees:
// - The bytes are the same as those that the server's own functions make.
// - A value that would make the whole larger than jsonb can be is left out. Null takes its place, and is_truncated()
//   returns true: a capture must not fail the user's INSERT.
// - The same is done with a value that would make the text of the whole longer than the server can make a text. A few
//   bytes may stand for a long text, and a consumer that takes it could not read it.
//
//     jsonb_writer json = jsonb_writer::make();
//     json.begin_object(shape);   // then a value for each of its keys, in the order of the shape
//     json.integer(1);
//     json.string("a");
//     json.end();
//     const Jsonb* result = json.finish();
//
// After an ERROR, as at any other time, clear() starts a new value. A writer is used for one value at a time. A caller
// that keeps a writer for long must have another one ready for code that may run while a value is being written (a
// user's cast to json may run SQL that captures).
#pragma once

#include "pg/postgres.hpp"
#include "pg/text_size.hpp"
#include "pure/jsonb_layout.hpp"
#include "pure/limits.hpp"
#include "pure/numeric_bytes.hpp"

#include <span>

namespace pgpubsub {

// The keys of an object in the order of jsonb, and all bytes of the object before its first value, except the values'
// entries.
class object_shape {
public:
    int count() const { return count_; }
    // Returns the index of member number i among the names of which the shape was made.
    int source(int i) const { return source_[i]; }
    std::string_view key(int i) const { return {keys_ + ends_[i] - length(i), length(i)}; }

private:
    friend class jsonb_writer;
    friend const object_shape* make_object_shape(std::span<const std::string_view> names);

    std::uint32_t length(int i) const { return i == 0 ? ends_[0] : ends_[i] - ends_[i - 1]; }

    int count_;
    int* source_;
    std::uint32_t* ends_;  // where each key ends in the bytes at keys_
    char* head_;
    std::uint32_t head_size_;
    std::uint64_t keys_text_size_;
    const char* keys_;  // the last part of the head
};
static_assert(survives_longjmp<object_shape>);

// Makes a shape in the current memory context. The names must differ from each other; they are copied.
const object_shape* make_object_shape(std::span<const std::string_view> names);

class jsonb_writer {
public:
    // Makes a writer. Its buffer is in the memory context that is current now.
    static jsonb_writer make();

    // Starts a new value. The buffer is kept, unless it has become huge.
    void clear();

    // Begin an object or an array. The values follow, then end(). If there is no room for it, null takes its place, and
    // the result is false. Then neither values nor end() may follow.
    bool begin_object(const object_shape& shape);
    // Begins an object with the included members only. `included` is indexed as the names of which the shape was made.
    bool begin_object(const object_shape& shape, const bool* included);
    bool begin_array(int count);
    void end() {
        const std::uint32_t end = used_;
        top_ = outer_[--depth_];
        add_entry(jsonb_layout::part::container, top_.value, end);
    }

    void null() { add_entry(jsonb_layout::part::null, used_, used_); }
    void boolean(bool b) { add_entry(b ? jsonb_layout::part::is_true : jsonb_layout::part::is_false, used_, used_); }
    void integer(int64 value) { number(numeric_bytes(value)); }
    // Adds a floating-point number, which may have hundreds of digits.
    void real(const numeric_bytes& n) {
        if (has_text_room(numeric_text_size(static_cast<const char*>(n.data())), n.size()))
            number(n);
        else
            leave_out();
    }
    void number(const numeric_bytes& n) {
        if (!reserve(VARHDRSZ + numeric_bytes::max_size + max_padding))
            return leave_out();
        const std::uint32_t begin = used_;
        pad();
        SET_VARSIZE(buffer_ + used_, VARHDRSZ + n.size());
        // This copies the most bytes that a number can have, since a constant size is faster to copy.
        memcpy(buffer_ + used_ + VARHDRSZ, n.data(), numeric_bytes::max_size);
        used_ += VARHDRSZ + n.size();
        add_entry(jsonb_layout::part::number, begin, used_);
    }
    // Adds a number that is neither NaN nor infinite.
    void number(Numeric n) { numeric({VARDATA_ANY(n), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(n))}); }
    void string(std::string_view s) {
        if (s.size() > strings_left_ || !reserve(s.size()) || !has_room_for_text_of(s))
            return leave_out();
        strings_left_ -= s.size();
        const std::uint32_t begin = used_;
        put(s.data(), s.size());
        add_entry(jsonb_layout::part::string, begin, used_);
    }
    // Adds a value that is jsonb already, of any kind.
    void value(const Jsonb* jsonb) { value({VARDATA_ANY(jsonb), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(jsonb))}); }

    // The next two add a numeric and a jsonb value, given the bytes that follow its length word. They need not be
    // aligned.
    void numeric(std::string_view bytes) {
        if (!reserve(bytes.size() + VARHDRSZ + max_padding) ||
            !has_text_room(numeric_text_size(bytes.data()), bytes.size()))
            return leave_out();
        const std::uint32_t begin = used_;
        pad();
        SET_VARSIZE(buffer_ + used_, VARHDRSZ + bytes.size());
        used_ += VARHDRSZ;
        put(bytes.data(), bytes.size());
        add_entry(jsonb_layout::part::number, begin, used_);
    }
    void value(std::string_view bytes);

    // Makes sure that so many more bytes can be written; false if jsonb can't be so large.
    bool reserve(std::size_t bytes) { return bytes <= writable_ - used_ || grow(bytes); }
    // Reserves so many of the bytes that jsonb can have for what comes later. They count as not there until
    // keep_back(0).
    void keep_back(std::size_t bytes);
    // Puts null in the place of a value that is too large.
    void leave_out() {
        ++left_out_;
        null();
    }
    bool is_truncated() const { return left_out_ != 0; }
    // Returns how many values have been left out.
    std::uint32_t left_out() const { return left_out_; }

    // Limits the bytes of all strings together, until clear().
    void limit_strings(std::size_t bytes) { strings_left_ = bytes; }
    // Returns how many bytes another string may have.
    std::size_t room_for_string() const {
        const std::size_t room = limit_ > used_ ? limit_ - used_ : 0;
        return room < strings_left_ ? room : strings_left_;
    }
    // Says that the value, until clear(), is of use only as a whole. Once it is truncated, the caller may add nulls
    // instead of values.
    void want_whole() { wants_whole_ = true; }
    bool is_useless() const { return wants_whole_ && is_truncated(); }

    // Returns the whole value. It is in the buffer, until clear().
    const Jsonb* finish();

private:
    static constexpr std::uint32_t max_padding = 3;

    // The text of all numbers, names, words and separators has less than twice as many bytes as jsonb. Two exceptions
    // are counted in excess_: numbers with many zeros, and strings with escapes. Up to max_uncounted bytes of strings'
    // excess are not counted, since looking at each string would cost more than all else.
    static constexpr std::uint64_t max_text = 1000 * 1024 * 1024;
    static constexpr std::uint64_t max_uncounted = 256 * 1024 * 1024;
    // The most bytes of text for one byte: of a control character in a string; of a number in jsonb, with all the zeros
    // that it can have.
    static constexpr std::uint64_t worst_of_string = 6;
    static constexpr std::uint64_t worst_of_jsonb = 12 * 1024;

    // Returns whether there is room for a text of length `text`, for so many bytes of jsonb. If there is, counts it.
    bool has_text_room(std::uint64_t text, std::size_t bytes) {
        return text <= 2 * bytes + 2 * VARHDRSZ || count_text(text - 2 * bytes);
    }
    bool count_text(std::uint64_t excess);
    // Returns whether a text of at most that length, which it seldom has, need not be counted.
    bool is_uncounted(std::uint64_t longest) {
        if (longest > uncounted_left_)
            return false;
        uncounted_left_ -= longest;
        return true;
    }
    bool has_room_for_text_of(std::string_view s) {
        return is_uncounted(worst_of_string * s.size()) || has_text_room(json_text_size(s), s.size());
    }

    // A container to which values are being added. Positions are in the buffer.
    struct level {
        std::uint32_t index;  // where it is written
        std::uint32_t entry;  // where it goes
        std::uint32_t data;   // where the bytes of the first part are
        std::uint32_t value;  // where the container inside that was begun last begins, with its padding
    };

    void put(const void* bytes, std::size_t size) {
        memcpy(buffer_ + used_, bytes, size);
        used_ += static_cast<std::uint32_t>(size);
    }
    void put_word(std::uint32_t word) { put(&word, sizeof word); }
    // Pads before a part of four bytes or more.
    void pad() {
        constexpr std::uint32_t zeros = 0;
        memcpy(buffer_ + used_, &zeros, sizeof zeros);
        used_ += jsonb_layout::padding(used_);
    }
    void add_entry(jsonb_layout::part type, std::uint32_t begin, std::uint32_t end) {
        const std::uint32_t entry = jsonb_layout::entry(type, top_.index++, begin - top_.data, end - top_.data);
        memcpy(buffer_ + top_.entry, &entry, sizeof entry);
        top_.entry += sizeof entry;
    }
    bool grow(std::size_t bytes);
    bool begin(std::size_t size);
    void push(level l);

    char* buffer_;
    std::uint32_t used_;
    std::uint32_t writable_;  // bytes of the buffer that may be in use
    std::uint32_t limit_;     // bytes that the value may have
    std::uint32_t capacity_;
    std::size_t strings_left_;
    std::uint32_t left_out_;
    bool wants_whole_;
    std::uint64_t excess_;  // excess of the text, in bytes
    std::uint64_t uncounted_left_;
    level top_;
    level* outer_;
    int depth_;  // how many levels are in outer_
    int depth_capacity_;
};
static_assert(survives_longjmp<jsonb_writer>);

}  // namespace pgpubsub
