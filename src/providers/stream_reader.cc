// StreamReader: cuts a stream into events while bytes arrive, reads each once, and passes it on.
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"
#include "providers/answer_parts.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kSharedParser = 256 << 10;
constexpr std::size_t kKeptBuffer = 64 << 10;

// Cuts a text into lines that end in LF, CR or CRLF. Both ends are looked for ahead and remembered: a text with many of
// one and none of the other is still read once.
class LineCutter {
 public:
  explicit LineCutter(std::string_view text) : text_(text), lf_(text.find('\n')), cr_(text.find('\r')) {}

  bool next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    if (lf_ < at_) lf_ = text_.find('\n', at_);
    if (cr_ < at_) cr_ = text_.find('\r', at_);
    const std::size_t end = std::min({lf_, cr_, text_.size()});
    line = text_.substr(at_, end - at_);
    at_ = end + (end == cr_ && lf_ == cr_ + 1 ? 2 : 1);
    return true;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0, lf_, cr_;
};

// True if the line is a `data` field; `value` is then what follows the colon and at most one space.
bool data_field(std::string_view line, std::string_view& value) {
  if (!line.starts_with("data")) return false;
  value = line.substr(4);
  if (value.empty()) return true;
  if (value.front() != ':') return false;
  value.remove_prefix(1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return true;
}

// Reads one chunk; true if it is the extra one that only carries usage.
bool openai_chunk(Operation operation, const object& root, AnswerFacts& facts) {
  bool has_usage = false;
  bool no_choices = false;
  for (auto it = root.begin(); it != root.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    array choices;
    object usage;
    if (key == "model") {
      std::string_view name;
      if (facts.model.empty() && value.get_string().get(name) == simdjson::SUCCESS) facts.model = name;
    } else if (key == "usage" && value.get_object().get(usage) == simdjson::SUCCESS) {
      has_usage = true;
      facts.usage = read_openai_usage(operation, usage);
    } else if (key == "error" && !value.is_null()) {
      facts.error = true;
    } else if (key == "choices" && value.get_array().get(choices) == simdjson::SUCCESS) {
      no_choices = true;
      for (const element choice : choices) {
        no_choices = false;
        object fields;
        object delta;
        if (choice.get_object().get(fields) != simdjson::SUCCESS) continue;
        facts.text_bytes += static_cast<std::int64_t>(string_member(fields, "text").size());
        if (fields.at_key("delta").get_object().get(delta) == simdjson::SUCCESS) {
          facts.text_bytes += openai_text_bytes(delta);
        }
      }
    }
  }
  return has_usage && no_choices && !facts.error;
}

// Reads one event; true if it is the last of its message.
bool anthropic_event(const object& root, AnthropicCounts& counts, bool& damaged, AnswerFacts& facts) {
  const std::string_view type = string_member(root, "type");
  object part;
  object usage;
  if (type == "content_block_delta" || type == "content_block_start") {
    const char* name = type == "content_block_delta" ? "delta" : "content_block";
    if (root.at_key(name).get_object().get(part) == simdjson::SUCCESS) facts.text_bytes += anthropic_text_bytes(part);
    return false;
  }
  if (type == "error") facts.error = true;
  const bool start = type == "message_start";
  if (start && root.at_key("message").get_object().get(part) == simdjson::SUCCESS) {
    facts.model = string_member(part, "model");
  } else {
    part = root;
  }
  if ((start || type == "message_delta") && part.at_key("usage").get_object().get(usage) == simdjson::SUCCESS) {
    damaged |= !update_counts(counts, usage);
    facts.so_far = !damaged && counts.has_input ? std::optional(normal_form(counts)) : std::nullopt;
    // The output of message_start is provisional: only message_delta makes the usage whole.
    facts.usage = start || !counts.has_output ? std::nullopt : facts.so_far;
  }
  return type == "message_stop";
}

}  // namespace

StreamReader::StreamReader(Operation operation, Framing /*framing*/, bool hide_usage, GeneratedText* /*listener*/)
    : operation_(operation), hide_usage_(hide_usage) {}

void StreamReader::feed(std::string_view bytes, std::string& out) {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t begin = 0;  // of the current event, as far as it lies in `bytes`
  std::size_t at = 0;
  std::size_t next_lf = bytes.find('\n');
  std::size_t next_cr = bytes.find('\r');
  while (at < bytes.size()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes[at] == '\n') {
        const bool of_last_event = begin == at && pending_.empty() && !passing_;
        ++at;
        if (!of_last_event) continue;
        if (!hid_last_) out += '\n';
        begin = at;
        continue;
      }
    }
    if (next_lf != kNone && next_lf < at) next_lf = bytes.find('\n', at);
    if (next_cr != kNone && next_cr < at) next_cr = bytes.find('\r', at);
    const std::size_t end = std::min(next_lf, next_cr);
    if (end == kNone) {
      at_line_start_ = false;
      break;
    }
    const bool blank_line = at_line_start_ && end == at;
    after_cr_ = bytes[end] == '\r';
    at_line_start_ = true;
    at = end + 1;
    if (blank_line) {
      complete(bytes.substr(begin, at - begin), out);
      begin = at;
    }
  }
  keep(bytes.substr(begin), out);
}

// `tail` ends the current event.
void StreamReader::complete(std::string_view tail, std::string& out) {
  hid_last_ = false;
  if (passing_ || pending_.size() + tail.size() > kMaxEvent) {
    keep(tail, out);
    passing_ = false;
    return;
  }
  if (!pending_.empty()) pending_.append(tail);
  const std::string_view raw = pending_.empty() ? tail : std::string_view(pending_);
  hid_last_ = event(raw);
  if (!hid_last_) out.append(raw);
  pending_.clear();
  if (pending_.capacity() > kKeptBuffer) std::string().swap(pending_);
}

void StreamReader::keep(std::string_view rest, std::string& out) {
  if (!passing_ && pending_.size() + rest.size() > kMaxEvent) {
    passing_ = true;
    // What is not read counts as text: the charge is then too high rather than nothing.
    facts_.text_bytes += static_cast<std::int64_t>(pending_.size());
    out.append(pending_);
    std::string().swap(pending_);
  }
  if (!passing_) {
    pending_.append(rest);
    return;
  }
  facts_.text_bytes += static_cast<std::int64_t>(rest.size());
  out.append(rest);
}

void StreamReader::finish(std::string& out) {
  if (!pending_.empty() && !event(pending_)) out.append(pending_);
  pending_.clear();
}

bool StreamReader::event(std::string_view raw) {
  if (first_event_ && raw.starts_with("\xEF\xBB\xBF")) raw.remove_prefix(3);
  first_event_ = false;
  std::string_view payload;
  int lines = 0;
  LineCutter lines_of_event(raw);
  for (std::string_view line; lines_of_event.next(line);) {
    std::string_view value;
    if (!data_field(line, value)) continue;
    if (++lines == 2) joined_.assign(payload);
    if (lines == 1) {
      payload = value;
    } else {
      joined_.append("\n").append(value);
    }
  }
  if (lines == 0) return false;
  return data(lines == 1 ? payload : std::string_view(joined_));
}

bool StreamReader::data(std::string_view payload) {
  payload = trim(payload);
  const bool anthropic = dialect_of(operation_) == Dialect::kAnthropic;
  if (!anthropic && payload == "[DONE]") {
    ended_ = true;
    return false;
  }
  if (!payload.starts_with('{') || payload.starts_with(R"({"type":"content_block_stop")")) return false;
  thread_local simdjson::dom::parser shared;
  std::optional<simdjson::dom::parser> own;
  if (payload.size() > kSharedParser) own.emplace();
  simdjson::dom::parser& parser = own ? *own : shared;
  object root;
  if (parser.parse(payload.data(), payload.size(), /*realloc_if_needed=*/true).get_object().get(root) !=
      simdjson::SUCCESS) {
    return false;
  }
  if (!anthropic) return openai_chunk(operation_, root, facts_) && hide_usage_;
  ended_ |= anthropic_event(root, anthropic_, usage_damaged_, facts_);
  return false;
}

}  // namespace weir
