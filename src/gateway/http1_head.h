// The part of reading a head that requests and responses share: lines, field lines, and the fields that decide framing.
//
//   HeadLines lines;
//   while (lines.next(bytes, limit, used) == HeadLines::Step::kLine) parse(lines.line());
//
// Lines never move once they are complete, so views of them stay valid until clear(). One owner, not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "gateway/http1.h"

namespace weir {

// Copies a head line by line into memory that does not move.
class HeadLines {
 public:
  static constexpr std::size_t kFirstBlock = 1024;
  static constexpr std::size_t kKeptBlock = 2048;  // clear() gives back more than this: most connections are idle

  enum class Step : std::uint8_t { kMore, kLine, kTooLong };

  // Takes bytes up to the end of the next line; `used` is how many. kTooLong: all lines together passed `limit`.
  Step next(std::string_view bytes, std::size_t limit, std::size_t& used);
  // The complete line with its line feed. At least kScanPadding bytes behind it are readable.
  std::string_view line() const { return {block_.data.get() + begin_, end_ - begin_}; }
  bool empty() const { return total_ == 0; }
  std::size_t buffered() const;
  void clear();

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t capacity = 0;
  };
  void append(std::string_view bytes);
  void make_room(std::size_t more);

  Block block_;                 // holds the line being read
  std::vector<Block> earlier_;  // hold complete lines
  std::size_t begin_ = 0;       // of the current line in block_
  std::size_t end_ = 0;
  std::size_t total_ = 0;
  bool complete_ = false;  // the current line is; the next call begins another
};

// Appends without the reallocations of a vector that grows from nothing: most heads have 8 to 24 fields.
void append_field(std::vector<Header>& fields, const Header& field);

// Empties it, and gives back what an unusually long head made it hold.
void clear_fields(std::vector<Header>& fields);

// What the fields of a head say about its framing and its connection.
struct FramingFields {
  std::string_view host;             // null data: none
  std::int64_t content_length = -1;  // -1: none; the largest integer for lengths beyond it
  bool transfer_encoding = false;
  bool chunked = false;  // the coding is exactly `chunked`
  bool close = false;
  bool keep_alive = false;
  bool expect_continue = false;
  bool expect_other = false;
};

// `line` without its CRLF, followed by kScanPadding readable bytes. Null if well-formed, else what is wrong with it.
const char* parse_field_line(std::string_view line, Header& field);

// Notes the field if it matters to framing. Null, or why it must not be trusted.
const char* note_field(const Header& field, FramingFields& framing);

// "host", "host:port" or "[v6]:port" without userinfo.
bool is_valid_authority(std::string_view text);

// 0 or 1 for "HTTP/1.0" and "HTTP/1.1", -1 for another well-formed version, -2 for anything else.
int parse_version(std::string_view text);

}  // namespace weir
