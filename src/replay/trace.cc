#include "replay/trace.h"

#include <algorithm>

#include "base/characters.h"
#include "base/strings.h"
#include "replay/trace_format.h"

namespace weir {

std::unexpected<Error> Place::fault(std::string_view message) const {
  std::string out(file);
  out += ':';
  append_number(out, static_cast<std::int64_t>(line));
  return std::unexpected(Error{out.append(": ").append(message)});
}

Result<void> checked_name(const Place& place, std::string_view what, std::string_view value) {
  if (value.size() > kMaxNameBytes) return place.fault(std::string(what) + " is longer than 256 bytes");
  if (std::any_of(value.begin(), value.end(), is_control)) {
    return place.fault(std::string(what) + " contains a control character");
  }
  const auto plain = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (!std::all_of(value.begin(), value.end(), plain) && !is_valid_utf8(value)) {
    return place.fault(std::string(what) + " is not UTF-8");
  }
  return {};
}

Result<void> checked_tokens(const Place& place, std::string_view what, std::int64_t value, std::int64_t most) {
  if (value < 0) return place.fault(std::string(what) + " is negative");
  if (value > most) return place.fault(std::string(what) + " is more than " + std::to_string(most));
  return {};
}

Result<std::unique_ptr<TraceReader>> open_trace(std::string_view text, std::string file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return Place{file, 1}.fault("is empty; expected load rows (CSV with a header) or lines of `weir usage --json`");
  }
  if (text[first] == '{') return open_ledger(text, std::move(file));
  return open_load_rows(text, std::move(file));
}

}  // namespace weir
