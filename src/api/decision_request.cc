#include "api/decision_request.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>

#include "base/characters.h"
#include "policy/amounts.h"
#include "weir/types.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kMaxText = 256;
constexpr std::size_t kMaxDepth = 128;
constexpr double kMicros = 1e6;

// Reads one body; stops at the first fault.
class BodyReader {
 public:
  // Calls `member(name, value)` for each member; it answers false for names it does not know.
  template <class Member>
  bool read(std::string_view bytes, const char* known, Member member) {
    const auto parsed = parser_.allocate(bytes.size() + 64, kMaxDepth) == simdjson::SUCCESS
                            ? parser_.parse(bytes.data(), bytes.size())
                            : simdjson::simdjson_result<element>(simdjson::MEMALLOC);
    if (parsed.error() != simdjson::SUCCESS) {
      return fault(parsed.error() == simdjson::NUMBER_ERROR ? "a number in the body is malformed or too large"
                                                            : "the body is not one JSON object in UTF-8");
    }
    return members(parsed.value_unsafe(), "the body", known, member);
  }

  template <class Member>
  bool members(const element& value, std::string_view where, const char* known, Member member) {
    object all;
    if (value.get_object().get(all) != simdjson::SUCCESS) return fault(fmt::format("{} must be a JSON object", where));
    if (all.size() > kMaxMembers) return fault(fmt::format("{} has more than {} members", where, kMaxMembers));
    std::vector<std::string_view> seen;
    for (const auto [name, each] : all) {
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
        return fault(fmt::format("{} has `{}` twice; send it once", where, shown(name)));
      }
      seen.push_back(name);
      if (!member(name, each)) {
        return fault(fmt::format("{} has a member `{}` that is not known; known are {}", where, shown(name), known));
      }
      if (fault_) return true;
    }
    return true;
  }

  bool text(std::string_view name, const element& value, std::string& out) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS || text.empty() || !is_clean(text, kMaxText)) {
      return fault(fmt::format("`{}` must be a text of 1 to 256 bytes without control characters", name));
    }
    out = text;
    return true;
  }

  bool whole(std::string_view name, const element& value, std::int64_t& out) {
    std::int64_t number = 0;
    if (value.is_bool() || value.get_int64().get(number) != simdjson::SUCCESS || number < 0 || number > kMaxAmount) {
      return fault(fmt::format("`{}` must be a whole number from 0 to 2^53", name));
    }
    out = number;
    return true;
  }

  // Decimal dollars, as a number or as a text.
  bool dollars(std::string_view name, const element& value, std::optional<std::int64_t>& out) {
    std::string_view text;
    double number = -1;
    if (value.get_string().get(text) == simdjson::SUCCESS) {
      if (const auto micros = parse_usd(text); micros && *micros >= 0 && *micros <= kMaxAmount) {
        out = *micros;
        return true;
      }
    } else if (value.is_number() && value.get_double().get(number) == simdjson::SUCCESS) {
      const double micros = std::ceil(number * kMicros - 1e-6);
      if (number >= 0 && micros <= static_cast<double>(kMaxAmount)) {
        out = static_cast<std::int64_t>(std::max(micros, 0.0));
        return true;
      }
    }
    return fault(fmt::format("`{}` must be dollars from 0 on, such as 0.0125", name));
  }

  bool names(std::string_view name, const element& value, std::vector<std::string>& out) {
    array all;
    if (value.get_array().get(all) != simdjson::SUCCESS || all.size() > kMaxToolNames) {
      return fault(fmt::format("`{}` must be a list of at most {} names", name, kMaxToolNames));
    }
    for (const element each : all) {
      if (!text(name, each, out.emplace_back())) return true;
    }
    return true;
  }

  bool id(const element& value, std::string& out) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS || !is_decision_id(text)) {
      return fault("`id` must be 1 to 64 letters, digits, dots, underscores or dashes");
    }
    out = text;
    return true;
  }

  bool amounts(std::string_view name, const element& value, MeterAmounts& out);

  // The first fault stays; true, so that it can end a member's reading.
  bool fault(std::string message) {
    if (!fault_) fault_ = CallFault{.message = std::move(message) + "."};
    return true;
  }
  bool failed() const { return fault_.has_value(); }
  std::unexpected<CallFault> error() { return std::unexpected(std::move(*fault_)); }

 private:
  static std::string shown(std::string_view name) { return std::string(name.substr(0, 64)); }

  simdjson::dom::parser parser_;
  std::optional<CallFault> fault_;
};

bool BodyReader::amounts(std::string_view name, const element& value, MeterAmounts& out) {
  const std::pair<std::string_view, std::int64_t*> known[] = {{"requests", &out.requests},
                                                              {"input_tokens", &out.input_tokens},
                                                              {"output_tokens", &out.output_tokens},
                                                              {"cached_tokens", &out.cached_tokens},
                                                              {"bytes_in", &out.bytes_in},
                                                              {"bytes_out", &out.bytes_out},
                                                              {"cache_write_tokens", &out.cache_write_tokens},
                                                              {"reasoning_tokens", &out.reasoning_tokens}};
  members(value, fmt::format("`{}`", name), "the meters", [&](std::string_view meter, const element& amount) {
    const auto found =
        std::find_if(std::begin(known), std::end(known), [&](const auto& k) { return k.first == meter; });
    if (found != std::end(known)) return whole(meter, amount, *found->second);
    if (meter == "usd") return dollars(meter, amount, out.usd_micros);
    if (meter == "tool_calls") return whole(meter, amount, out.tool_calls.emplace());
    if (meter == "tokens") return fault("`tokens` is the sum of `input_tokens` and `output_tokens`; give those");
    if (meter == "concurrency" || meter == "runs") {
      return fault(fmt::format("`{}` is counted by itself; leave it out", meter));
    }
    if (!is_lower_word(meter)) return false;
    if (out.custom.size() >= kMaxCustomMeters) {
      return fault(fmt::format("`{}` names too many meters; {} of your own fit in one call", name, kMaxCustomMeters));
    }
    auto& custom = out.custom.emplace_back(meter, 0);
    return whole(meter, amount, custom.second);
  });
  if (out.cached_tokens + out.cache_write_tokens > out.input_tokens) {
    return fault("`input_tokens` includes `cached_tokens` and `cache_write_tokens`; it cannot be less than their sum");
  }
  if (out.reasoning_tokens > out.output_tokens) {
    return fault("`output_tokens` includes `reasoning_tokens`; it cannot be less");
  }
  return true;
}

void read_attributes(BodyReader& reader, const element& value, AskedAttributes& out) {
  const std::pair<std::string_view, std::string*> texts[] = {{"conversation", &out.conversation},
                                                             {"run", &out.run},
                                                             {"agent", &out.agent},
                                                             {"task", &out.task},
                                                             {"tool", &out.tool},
                                                             {"server", &out.server},
                                                             {"key", &out.key},
                                                             {"tenant", &out.tenant},
                                                             {"user", &out.user},
                                                             {"tier", &out.tier}};
  reader.members(
      value, "`attributes`",
      "conversation, run, agent, task, depth, tool, server, and for `kind: service` keys key, tenant, user, tier",
      [&](std::string_view name, const element& each) {
        if (name == "depth") {
          std::int64_t depth = 0;
          if (reader.whole(name, each, depth)) out.depth = std::to_string(depth);
          return true;
        }
        const auto found =
            std::find_if(std::begin(texts), std::end(texts), [&](const auto& t) { return t.first == name; });
        return found != std::end(texts) && reader.text(name, each, *found->second);
      });
}

void read_hold(BodyReader& reader, const element& value, DurationNs& out) {
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) {
    if (const auto hold = parse_duration(text); hold && *hold >= kLeastHold && *hold <= kMostHold) {
      out = *hold;
      return;
    }
  }
  reader.fault("`hold` must be a duration from 1s to 24h, such as \"120s\"");
}

}  // namespace

bool is_decision_id(std::string_view id) {
  return is_word(id);
}

Call<AdmitBody> read_admit(std::string_view body) {
  AdmitBody out;
  BodyReader reader;
  reader.read(body, "attributes, estimate, model, tools, hold, id", [&](std::string_view name, const element& value) {
    if (name == "attributes") return read_attributes(reader, value, out.attributes), true;
    if (name == "estimate") return reader.amounts(name, value, out.estimate);
    if (name == "model") return reader.text(name, value, out.model);
    if (name == "tools") return reader.names(name, value, out.tools);
    if (name == "hold") return read_hold(reader, value, out.hold), true;
    return name == "id" && reader.id(value, out.id);
  });
  if (reader.failed()) return reader.error();
  return out;
}

Call<SettleBody> read_settle(std::string_view body) {
  SettleBody out;
  bool has_usage = false;
  BodyReader reader;
  reader.read(body, "id, usage, tools", [&](std::string_view name, const element& value) {
    if (name == "id") return reader.id(value, out.id);
    if (name == "tools") return reader.names(name, value, out.tools.emplace());
    if (name != "usage") return false;
    has_usage = true;
    return reader.amounts(name, value, out.usage);
  });
  if (!reader.failed() && out.id.empty()) reader.fault("`id` is missing; send the one that admit answered");
  if (!reader.failed() && !has_usage) {
    reader.fault("`usage` is missing; send what was used, or cancel if nothing was");
  }
  if (reader.failed()) return reader.error();
  return out;
}

Call<std::string> read_cancel(std::string_view body) {
  std::string id;
  BodyReader reader;
  reader.read(body, "id",
              [&](std::string_view name, const element& value) { return name == "id" && reader.id(value, id); });
  if (!reader.failed() && id.empty()) reader.fault("`id` is missing; send the one that admit answered");
  if (reader.failed()) return reader.error();
  return id;
}

Call<CountBody> read_count(std::string_view body) {
  CountBody out;
  bool has_messages = false;
  BodyReader reader;
  reader.read(body, "model, text, messages", [&](std::string_view name, const element& value) {
    if (name == "model") return reader.text(name, value, out.model);
    if (name == "messages") return has_messages = true;
    if (name != "text") return false;
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return reader.fault("`text` must be a text");
    out.text = text;
    return true;
  });
  if (!reader.failed() && out.model.empty()) reader.fault("`model` is missing; name the model whose tokens count");
  if (!reader.failed() && out.text.has_value() == has_messages) {
    reader.fault("send either `text` or `messages`");
  }
  if (reader.failed()) return reader.error();
  return out;
}

}  // namespace weir
