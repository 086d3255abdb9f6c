#include "policy/section.h"

#include <algorithm>

#include "base/characters.h"
#include "base/check.h"
#include "base/strings.h"
#include "policy/amounts.h"
#include "policy/keys.h"

namespace weir {
namespace {

std::vector<std::string_view> split_choices(std::string_view detail) {
  std::vector<std::string_view> out;
  while (!detail.empty()) {
    const std::size_t bar = detail.find('|');
    out.push_back(detail.substr(0, bar));
    detail.remove_prefix(bar == std::string_view::npos ? detail.size() : bar + 1);
  }
  return out;
}

std::string joined(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out.append(out.empty() ? "" : ", ").append("`").append(word).append("`");
  return out;
}

std::string range_text(std::string_view key, std::string least, std::string most) {
  return "`" + std::string(key) + "` must be " + std::move(least) + " to " + std::move(most);
}

std::string duration_text(DurationNs d) {
  if (d % kDay == 0 && d > 0) return std::to_string(d / kDay) + "d";
  if (d % kHour == 0 && d > 0) return std::to_string(d / kHour) + "h";
  if (d % kSecond == 0) return std::to_string(d / kSecond) + "s";
  return std::to_string(d / kMillisecond) + "ms";
}

}  // namespace

std::string not_available(std::string_view what) {
  return "`" + std::string(what) + "` is not available in this version";
}

Section::Section(Reporter& reporter, const Yaml& node, std::string_view section)
    : reporter_(reporter), node_(node), section_(section) {
  if (!node.is_map()) {
    reporter.error(node, section.empty() ? "the file must be a map of keys"
                                         : "this " + std::string(section) + " must be a map such as { " +
                                               std::string(keys_of(section).front()) + ": … }");
  }
}

const Yaml* Section::get(std::string_view key) {
  const KeySpec* spec = find_key(section_, key);
  WEIR_CHECK(spec != nullptr && !spec->later);
  read_.insert(spec->key);
  const Yaml* value = node_.find(key);
  if (value == nullptr || value->kind != Yaml::Kind::kNull) return value;
  reporter_.error(*value, "`" + std::string(key) + "` has no value; give it one or remove the key");
  return nullptr;
}

const Yaml* Section::scalar(std::string_view key) {
  const Yaml* value = get(key);
  if (value == nullptr || value->is_scalar()) return value;
  reporter_.error(*value, "`" + std::string(key) + "` must be a single value");
  return nullptr;
}

const Yaml* Section::entries(std::string_view key, Yaml::Kind kind, std::size_t least, std::size_t most,
                             std::string_view must_be) {
  const Yaml* value = get(key);
  if (value == nullptr) return nullptr;
  if (value->kind == kind && value->items.size() >= least && value->items.size() <= most) return value;
  reporter_.error(*value, "`" + std::string(key) + "` must be " + std::string(must_be));
  return nullptr;
}

const Yaml* Section::required(std::string_view key) {
  const Yaml* value = get(key);
  if (node_.is_map() && node_.find(key) == nullptr) {
    reporter_.error(node_, "this " + std::string(section_) + " needs `" + std::string(key) + "`");
  }
  return value;
}

void Section::text(std::string_view key, std::string& out) {
  if (const Yaml* value = scalar(key)) out = value->text;
}

void Section::duration(std::string_view key, DurationNs& out, DurationNs least, DurationNs most) {
  const Yaml* value = scalar(key);
  if (value == nullptr) return;
  const auto parsed = parse_duration(value->text);
  if (!parsed) {
    reporter_.error(*value, parsed.error().message);
  } else if (*parsed < least || *parsed > most) {
    reporter_.error(*value, range_text(key, duration_text(least), duration_text(most)));
  } else {
    out = *parsed;
  }
}

void Section::bytes(std::string_view key, std::size_t& out, std::int64_t least, std::int64_t most) {
  const Yaml* value = scalar(key);
  if (value == nullptr) return;
  const auto parsed = parse_bytes(value->text);
  if (!parsed) {
    reporter_.error(*value, parsed.error().message);
  } else if (*parsed < least || *parsed > most) {
    reporter_.error(*value, range_text(key, std::to_string(least), std::to_string(most)) + " bytes");
  } else {
    out = static_cast<std::size_t>(*parsed);
  }
}

void Section::boolean(std::string_view key, bool& out) {
  const Yaml* value = scalar(key);
  if (value == nullptr) return;
  if (value->text != "true" && value->text != "false") {
    reporter_.error(*value, "`" + std::string(key) + "` must be true or false");
    return;
  }
  out = value->text == "true";
}

void Section::integer(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most) {
  const Yaml* value = scalar(key);
  if (value == nullptr) return;
  const auto parsed = parse_decimal(value->text);
  if (!parsed || *parsed < least || *parsed > most) {
    reporter_.error(*value, range_text(key, "a whole number from " + std::to_string(least), std::to_string(most)));
    return;
  }
  out = *parsed;
}

void Section::amount(std::string_view key, std::int64_t& out, std::int64_t most) {
  const Yaml* value = scalar(key);
  if (value == nullptr) return;
  const auto parsed = parse_amount(value->text, AmountUnit::kCount);
  if (!parsed || *parsed > most) {
    reporter_.error(*value, range_text(key, "an amount such as 500k or 10M, from 0", format_count(most)));
    return;
  }
  out = *parsed;
}

void Section::usd(std::string_view key, std::int64_t& micros, std::int64_t most) {
  const Yaml* value = scalar(key);
  if (value == nullptr) return;
  const auto parsed = parse_usd(value->text);
  if (!parsed || *parsed < 0 || *parsed > most) {
    reporter_.error(*value, range_text(key, "dollars such as 2.50, from 0", format_usd(most)));
    return;
  }
  micros = *parsed;
}

void Section::fraction(std::string_view key, double& out, double least, double most) {
  const Yaml* value = scalar(key);
  if (value == nullptr) return;
  const auto parsed = number_in<double>(value->text, std::chars_format::fixed);
  // Written so that NaN is refused too.
  if (!parsed || !(*parsed >= least && *parsed <= most)) {
    const auto shown = [](double d) { return std::to_string(d).substr(0, 5); };
    reporter_.error(*value, range_text(key, "a number from " + shown(least), shown(most)));
    return;
  }
  out = *parsed;
}

std::string_view Section::choice(std::string_view key, std::span<const std::string_view> later) {
  const Yaml* value = scalar(key);
  if (value == nullptr) return {};
  const auto choices = split_choices(find_key(section_, key)->detail);
  const auto found = std::find(choices.begin(), choices.end(), value->text);
  if (found != choices.end()) return *found;
  if (std::find(later.begin(), later.end(), value->text) != later.end()) {
    reporter_.error(*value, not_available(std::string(key) + ": " + value->text));
    return {};
  }
  const std::string hint = did_you_mean(value->text, choices);
  reporter_.error(*value, "`" + std::string(key) + "` cannot be `" + value->text + "`" +
                              (hint.empty() ? "; use " + joined(choices) : hint));
  return {};
}

void Section::finish() {
  for (const Yaml& key : node_.keys) {
    const KeySpec* spec = find_key(section_, key.text);
    if (spec == nullptr) {
      const auto known = keys_of(section_);
      const std::string hint = did_you_mean(key.text, known);
      reporter_.error(key, "unknown key `" + key.text + "`" + (hint.empty() ? "; known here: " + joined(known) : hint));
    } else if (spec->later) {
      reporter_.error(key, not_available(key.text));
    } else {
      WEIR_CHECK(read_.contains(spec->key));
    }
  }
}

}  // namespace weir
