// Where the events of a stream end, in every framing. Checks: the cuts put together are the input; the events are the
// same however the bytes are split, at every place of short inputs; and they are those of a plain reader that has the
// whole text: lines until an empty one (SSE), lines (NDJSON), the elements of a JSON array as simdjson parses it.
//
// Input: byte 0 = framing (mod 3); byte 1 = seed of random splits, 2 = how often the rest is repeated (long events).
#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "providers/dialect.h"
#include "providers/stream_cutter.h"

namespace {

using namespace weir;
using namespace weir::fuzz;

constexpr std::size_t kAllPlaces = 160;  // inputs up to here are split at every place

// Feeds pieces to a cutter and keeps the events; fillers are remembered apart.
class Cutting {
 public:
  explicit Cutting(Framing framing) : cutter_(framing) {}
  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const StreamCutter::Cut cut = cutter_.next(bytes);
      require(cut.length > 0 && cut.length <= bytes.size());
      require(cut.complete || cut.length == bytes.size());
      const std::string_view part = bytes.substr(0, cut.length);
      bytes.remove_prefix(cut.length);
      all_ += part;
      if (cut.filler) {
        require(rest.empty());
        continue;
      }
      rest += part;
      if (!cut.complete) continue;
      events.push_back(std::move(rest));
      rest.clear();
    }
  }
  const std::string& all() const { return all_; }
  bool closed() const { return cutter_.closed(); }
  std::vector<std::string> events;
  std::string rest;  // of an event that is not complete

 private:
  StreamCutter cutter_;
  std::string all_;
};

using Lines = std::vector<std::string>;

// The definition, character by character.
Lines plain_lines(std::string_view text, bool& last_is_open) {
  Lines lines;
  std::string line;
  last_is_open = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    last_is_open = text[i] != '\n' && text[i] != '\r';
    if (last_is_open) {
      line += text[i];
      continue;
    }
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    lines.push_back(line);
    line.clear();
  }
  if (last_is_open) lines.push_back(line);
  return lines;
}

std::vector<Lines> plain_sse(std::string_view text) {
  std::vector<Lines> events;
  Lines current;
  bool open = false;
  Lines lines = plain_lines(text, open);
  if (open) lines.pop_back();
  for (const std::string& line : lines) {
    if (!line.empty()) {
      current.push_back(line);
      continue;
    }
    events.push_back(current);
    current.clear();
  }
  return events;
}

void check_sse(std::string_view bytes, const Cutting& cut) {
  const std::vector<Lines> plain = plain_sse(bytes);
  require(plain.size() == cut.events.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    Lines lines;
    LineCutter cutter(cut.events[i]);
    for (std::string_view line; cutter.next(line);) lines.emplace_back(line);
    require(!lines.empty() && lines.back().empty());
    lines.pop_back();
    require(lines == plain[i]);
  }
  bool open = false;
  const Lines all = plain_lines(bytes, open);
  Lines cut_lines;
  LineCutter cutter(bytes);
  for (std::string_view line; cutter.next(line);) cut_lines.emplace_back(line);
  require(cut_lines == all);
}

void check_lines(std::string_view bytes, const Cutting& cut) {
  std::vector<std::string> plain;
  std::string line;
  for (const char c : bytes) {
    line += c;
    if (c != '\n') continue;
    plain.push_back(line);
    line.clear();
  }
  require(cut.events == plain && cut.rest == line);
}

// Arrays of objects and arrays: each element comes with the separator before it, the bracket at the end alone.
void check_array(std::string_view bytes, const Cutting& cut) {
  simdjson::dom::parser parser;
  simdjson::dom::array array;
  if (parser.parse(bytes.data(), bytes.size()).get_array().get(array) != simdjson::SUCCESS) return;
  std::vector<std::string> elements;
  for (const simdjson::dom::element element : array) {
    if (!element.is_object() && !element.is_array()) return;
    elements.push_back(simdjson::minify(element));
  }
  require(cut.closed() && cut.rest.empty());
  require(cut.events.size() == elements.size() + 1);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::string_view event = cut.events[i];
    const std::size_t begin = event.find_first_not_of(i == 0 ? " \t\r\n" : ", \t\r\n");
    require(begin != std::string_view::npos);
    const std::string element(event.substr(begin + (i == 0 ? 1 : 0)));  // behind the array's bracket
    simdjson::dom::parser again;
    simdjson::dom::element one;
    require(again.parse(element).get(one) == simdjson::SUCCESS);
    require(std::string(simdjson::minify(one)) == elements[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 8 << 10) return 0;
  const auto framing = static_cast<Framing>(data[0] % 3);
  std::string bytes;
  const std::string_view part(reinterpret_cast<const char*>(data) + 3, size - 3);
  for (int i = 0; i <= data[2] % 16; ++i) bytes += part;

  Cutting whole(framing);
  whole.feed(bytes);
  require(whole.all() == bytes);
  const auto same = [&](const Cutting& other) {
    require(other.all() == bytes);
    require(other.events == whole.events && other.rest == whole.rest && other.closed() == whole.closed());
  };
  for (std::size_t at = 1; at < bytes.size() && bytes.size() <= kAllPlaces; ++at) {
    Cutting two(framing);
    two.feed(std::string_view(bytes).substr(0, at));
    two.feed(std::string_view(bytes).substr(at));
    same(two);
  }
  Chance chance(data[1]);
  for (const std::uint32_t most : {1u, 5u, 300u}) {
    Cutting many(framing);
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = 1 + chance.below(most);
      many.feed(std::string_view(bytes).substr(at, length));
      at += length;
    }
    same(many);
  }
  switch (framing) {
    case Framing::kSse:
      check_sse(bytes, whole);
      break;
    case Framing::kNdjson:
      check_lines(bytes, whole);
      break;
    case Framing::kJsonArray:
      check_array(bytes, whole);
  }
  return 0;
}
