// HTTP/1.1 as the ends of the simulated world read it: heads, bodies by length, by chunks and until the end. Written
// for the simulator alone, so that a mistake in the product's own parser is not repeated here.
//
//   HttpReader reader(HttpReader::Side::kAnswers);
//   reader.feed(bytes);
//   if (reader.state() == HttpReader::State::kDone) { use(reader.head(), reader.take_body()); reader.next(); }
//
// One thread. Heads beyond kMaxHead and chunk lines beyond kMaxLine make it kBroken, and so it stays.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sim {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpHead {
  std::string method, target;  // of requests
  int status = 0;              // of answers
  HeaderList headers;          // names in lower case
  // The first of that name (in lower case); empty: none.
  std::string_view find(std::string_view name) const;
};

class HttpReader {
 public:
  enum class Side : std::uint8_t { kRequests, kAnswers };
  enum class State : std::uint8_t { kHead, kBody, kDone, kBroken };
  static constexpr std::size_t kMaxHead = 64 << 10, kMaxLine = 256;

  explicit HttpReader(Side side) : side_(side) {}
  void feed(std::string_view bytes);
  void eof();   // completes a body that lasts until the end; anything else that is begun is broken
  void next();  // after kDone: the message behind it
  State state() const { return state_; }
  bool begun() const { return state_ != State::kHead || !buffer_.empty(); }
  const HttpHead& head() const { return head_; }
  // What has come of the body since the last time.
  std::string take_body() { return std::exchange(body_, {}); }
  bool keeps_open() const;  // by its head, the connection may carry another message
  bool surplus() const { return state_ == State::kHead && !buffer_.empty(); }

 private:
  enum class Framing : std::uint8_t { kNone, kLength, kChunks, kUntilEnd };
  void advance();
  bool read_head();
  void choose_framing();
  bool read_length();
  bool read_chunk_line();
  bool read_chunk_part();

  Side side_;
  State state_ = State::kHead;
  HttpHead head_;
  std::string buffer_, body_;
  Framing framing_ = Framing::kNone;
  std::uint64_t left_ = 0;  // of the body, or of this chunk
  enum class Chunk : std::uint8_t { kSize, kData, kDataEnd, kTrailer } chunk_ = Chunk::kSize;
};

}  // namespace weir::sim
