// Reads a compressed answer as it passes: gzip or zlib ("deflate"), in pieces of any size.
//
//   auto inflate = Inflate::of("gzip");                // null: a coding that is not read here
//   std::string text;
//   Inflate::State state = inflate->feed(bytes, text);  // appends what the bytes decode to
//
// Bomb-safe: stops at kMax bytes of text, whatever they came from. After kCorrupt and kTooLong, further bytes are
// ignored. Belongs to one thread. Memory: zlib's window, about 40 KB, and what is appended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir {

class Inflate {
 public:
  static constexpr std::size_t kMax = std::size_t{64} << 20;  // of text, over the whole answer

  enum class State : std::uint8_t {
    kMore,     // the end has not come yet
    kEnd,      // all of it was read, and its check sum is right
    kCorrupt,  // this is no such coding, or it is damaged
    kTooLong,  // there is more than kMax; what came before was appended
  };

  // `coding`: the value of Content-Encoding.
  static std::unique_ptr<Inflate> of(std::string_view coding);
  ~Inflate();
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;

  State feed(std::string_view bytes, std::string& text);
  State state() const { return state_; }

 private:
  struct Stream;
  explicit Inflate(bool gzip);
  bool begin(bool raw);
  bool begins_another(std::string_view rest);
  State decode(std::string_view bytes, std::string& text);

  std::unique_ptr<Stream> stream_;
  std::string head_;  // of a "deflate" answer, until it is known whether it has zlib's header
  bool gzip_ = false;
  bool over_ = false;  // something else than a member followed the end
  std::size_t produced_ = 0;
  State state_ = State::kMore;
};

}  // namespace weir
