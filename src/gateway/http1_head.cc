#include "gateway/http1_head.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/strings.h"
#include "gateway/http1_chars.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir {

bool has_control(std::string_view text) {
  constexpr std::size_t kBlock = 16;  // reads nothing behind its end when it looks at whole ones
  if (text.size() < kBlock)
    return std::any_of(text.begin(), text.end(), [](char c) { return is_char(c, kControlChar); });
  return has_control_padded(text.substr(0, text.size() / kBlock * kBlock)) ||
         has_control_padded(text.substr(text.size() - kBlock));
}

#if defined(__SSE2__)
bool has_control_padded(std::string_view text) {
  // Unsigned `byte <= 0x1F` is `min(byte, 0x1F) == byte`.
  const __m128i low = _mm_set1_epi8(0x1F);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7F);
  for (std::size_t i = 0; i < text.size(); i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
    const __m128i control =
        _mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), _mm_cmpeq_epi8(_mm_min_epu8(bytes, low), bytes));
    unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(bytes, del))));
    const std::size_t rest = text.size() - i;
    if (rest < 16) mask &= (1U << rest) - 1U;
    if (mask != 0) return true;
  }
  return false;
}
#else
bool has_control_padded(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return is_char(c, kControlChar); });
}
#endif

HeadLines::Step HeadLines::next(std::string_view bytes, std::size_t limit, std::size_t& used) {
  used = 0;
  if (complete_) {
    complete_ = false;
    begin_ = end_;
  }
  if (bytes.empty()) return Step::kMore;
  const std::string_view allowed = bytes.substr(0, limit - total_);
  const void* feed = allowed.empty() ? nullptr : std::memchr(allowed.data(), '\n', allowed.size());
  used =
      feed == nullptr ? allowed.size() : static_cast<std::size_t>(static_cast<const char*>(feed) - allowed.data()) + 1;
  append(allowed.substr(0, used));
  if (feed != nullptr) {
    complete_ = true;
    return Step::kLine;
  }
  return used < bytes.size() ? Step::kTooLong : Step::kMore;
}

void HeadLines::append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (block_.capacity - end_ < bytes.size()) make_room(bytes.size());
  std::memcpy(block_.data.get() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
  total_ += bytes.size();
}

void HeadLines::make_room(std::size_t more) {
  const std::size_t partial = end_ - begin_;
  const std::size_t capacity = std::max({kFirstBlock, block_.capacity * 2, partial + more});
  // Only what is copied in is ever read as text, so the memory need not be cleared.
  Block bigger{std::make_unique_for_overwrite<char[]>(capacity + kScanPadding), capacity};
  if (partial > 0) std::memcpy(bigger.data.get(), block_.data.get() + begin_, partial);
  if (begin_ > 0) earlier_.push_back(std::move(block_));
  block_ = std::move(bigger);
  begin_ = 0;
  end_ = partial;
}

std::size_t HeadLines::buffered() const {
  std::size_t total = block_.data ? block_.capacity + kScanPadding : 0;
  for (const Block& block : earlier_) total += block.capacity + kScanPadding;
  return total + earlier_.capacity() * sizeof(Block);
}

void HeadLines::clear() {
  earlier_.clear();
  if (block_.capacity > kKeptBlock) block_ = {};
  begin_ = end_ = total_ = 0;
  complete_ = false;
}

void append_field(std::vector<Header>& fields, const Header& field) {
  constexpr std::size_t kUsual = 24;
  if (fields.capacity() == 0) fields.reserve(kUsual);
  fields.push_back(field);
}

void clear_fields(std::vector<Header>& fields) {
  constexpr std::size_t kKept = 64;
  fields.clear();
  if (fields.capacity() > kKept) fields = std::vector<Header>();
}

const char* parse_field_line(std::string_view line, Header& field) {
  std::size_t colon = 0;
  while (colon < line.size() && is_char(line[colon], kTokenChar)) ++colon;
  if (colon == 0 && !line.empty() && (line[0] == ' ' || line[0] == '\t')) return "folded header lines are not allowed";
  if (colon == line.size()) return "header line without a colon";
  if (line[colon] != ':') return "invalid character in a header name";
  if (colon == 0) return "header line without a name";
  const std::string_view value = line.substr(colon + 1);
  if (has_control_padded(value)) return "control character in a header value";
  field.name = line.substr(0, colon);
  field.value = trim(value);
  return nullptr;
}

namespace {

const char* note_content_length(std::string_view value, FramingFields& framing) {
  if (framing.content_length >= 0) return "more than one Content-Length";
  if (value.empty() || !std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return "invalid Content-Length";
  }
  framing.content_length = parse_decimal(value).value_or(std::numeric_limits<std::int64_t>::max());
  return nullptr;
}

const char* note_connection(std::string_view value, FramingFields& framing) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = trim(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    if (!all_of_class(option, kTokenChar)) return "invalid Connection";
    if (is_name(option, "close")) framing.close = true;
    if (is_name(option, "keep-alive")) framing.keep_alive = true;
  }
  return nullptr;
}

}  // namespace

const char* note_field(const Header& field, FramingFields& framing) {
  switch (field.name.size()) {  // the lengths of the names below; nearly every other field ends here
    case 4:
      if (!is_name(field.name, "host")) return nullptr;
      if (framing.host.data() != nullptr) return "more than one Host";
      if (!is_valid_authority(field.value)) return "invalid Host";
      framing.host = field.value;
      return nullptr;
    case 6:
      if (!is_name(field.name, "expect")) return nullptr;
      (is_name(field.value, "100-continue") ? framing.expect_continue : framing.expect_other) = true;
      return nullptr;
    case 10:
      return is_name(field.name, "connection") ? note_connection(field.value, framing) : nullptr;
    case 14:
      return is_name(field.name, "content-length") ? note_content_length(field.value, framing) : nullptr;
    case 17:
      if (!is_name(field.name, "transfer-encoding")) return nullptr;
      if (framing.transfer_encoding) return "more than one Transfer-Encoding";
      framing.transfer_encoding = true;
      framing.chunked = is_name(field.value, "chunked");
      return nullptr;
    default:
      return nullptr;
  }
}

bool is_valid_authority(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3 || !all_of_class(text.substr(1, end - 1), kIpv6Char)) return false;
    port = text.substr(end + 1);
  } else {
    const std::size_t end = std::min(text.find(':'), text.size());
    if (end == 0 || !all_of_class(text.substr(0, end), kHostChar)) return false;
    port = text.substr(end);
  }
  if (port.empty() || port == ":") return true;
  if (port[0] != ':') return false;
  const auto number = parse_decimal(port.substr(1));
  return number && *number <= 65535;
}

int parse_version(std::string_view text) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.') return -2;
  const char major = text[5];
  const char minor = text[7];
  if (major < '0' || major > '9' || minor < '0' || minor > '9') return -2;
  return major == '1' && (minor == '0' || minor == '1') ? minor - '0' : -1;
}

}  // namespace weir
