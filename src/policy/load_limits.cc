#include <algorithm>
#include <array>

#include "base/strings.h"
#include "policy/amounts.h"
#include "policy/compiled.h"
#include "policy/loader.h"

namespace weir {
namespace {

constexpr std::size_t kMaxPatterns = 1'000;
constexpr std::size_t kMaxPer = 8;
constexpr std::size_t kMaxWindows = 8;
constexpr std::int64_t kMaxWeight = 1'000'000;

constexpr std::array<std::string_view, 20> kAttributeNames = {
    "key",   "tenant", "user",  "caller", "tier", "kind",     "ip",    "team",   "app",  "conversation",
    "model", "run",    "agent", "depth",  "task", "provider", "route", "method", "tool", "server"};
constexpr std::array<std::pair<std::string_view, MeterKind>, 11> kMeters = {
    {{"requests", MeterKind::kRequests},
     {"runs", MeterKind::kRuns},
     {"tokens", MeterKind::kTokens},
     {"input_tokens", MeterKind::kInputTokens},
     {"output_tokens", MeterKind::kOutputTokens},
     {"cached_tokens", MeterKind::kCachedTokens},
     {"usd", MeterKind::kUsd},
     {"tool_calls", MeterKind::kToolCalls},
     {"concurrency", MeterKind::kConcurrency},
     {"bytes_in", MeterKind::kBytesIn},
     {"bytes_out", MeterKind::kBytesOut}}};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_path(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text.front() != '.' && text.back() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F && c != ',' && c != '|'; });
}

// Canonical name of the attribute, empty after reporting what is wrong with it.
std::string read_attribute(Reporter& reporter, const Yaml& at) {
  const std::string& name = at.text;
  if (!at.is_scalar()) return reporter.error(at, "an attribute must be a word such as `caller`"), "";
  if (contains(kAttributeNames, name)) return name;
  if (name.starts_with("metadata.") && is_path(std::string_view(name).substr(9))) return name;
  if (name.starts_with("header.") && is_path(std::string_view(name).substr(7))) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
    return lower;
  }
  std::string hint = did_you_mean(name, kAttributeNames);
  if (hint.empty()) hint = "; see docs/configuration.md for the list";
  return reporter.error(at, "unknown attribute `" + name + "`" + hint), "";
}

class LimitReader {
 public:
  LimitReader(Reporter& reporter, const Policy& policy, const Yaml& node)
      : reporter_(reporter), policy_(policy), section_(reporter, node, "limit") {}

  LimitRule read(LimitSource& source) {
    source.node = &section_.node();
    read_name();
    source.match = section_.get("match");
    if (source.match != nullptr) read_match(*source.match);
    source.per = section_.required("per");
    if (source.per != nullptr) read_per(*source.per);
    source.meter = section_.required("meter");
    if (source.meter != nullptr) read_meter(*source.meter);
    source.allow = section_.required("allow");
    if (source.allow != nullptr && !rule_.meter.empty()) read_allow(*source.allow);
    read_modes();
    section_.finish();
    return std::move(rule_);
  }

 private:
  void read_name() {
    const Yaml* name = section_.required("name");
    if (name == nullptr) return;
    rule_.name = name->text;
    if (!name->is_scalar() || !is_name(rule_.name)) {
      std::string better;
      for (const char c : rule_.name.substr(0, 64))
        better += is_name({&c, 1}) ? c : is_name(std::string(1, ascii_lower(c))) ? ascii_lower(c) : '-';
      reporter_.error(
          *name, "a limit's name has 1 to 64 of a-z 0-9 . _ -" + (better.empty() ? "" : "; write `" + better + "`"));
    }
  }

  void read_patterns(const Yaml& value, MatchTerm& term) {
    if (value.is_map()) {
      if (value.keys.size() != 1 || value.keys[0].text != "not" || term.negated) {
        return reporter_.error(value, "write a value, a list of values, or {not: …}");
      }
      term.negated = true;
      return read_patterns(value.items[0], term);
    }
    const bool list = value.is_list();
    if (value.kind == Yaml::Kind::kNull || (list && value.items.empty())) {
      return reporter_.error(value, "`" + term.attribute + "` needs at least one value");
    }
    const std::size_t count = list ? value.items.size() : 1;
    if (count > kMaxPatterns) return reporter_.error(value, "at most 1000 values");
    for (std::size_t i = 0; i < count; ++i) {
      const Yaml& item = list ? value.items[i] : value;
      if (!item.is_scalar() || !is_value(item.text)) {
        reporter_.error(item, "a value is 1 to 256 bytes of text without control characters");
      } else if (term.attribute == "tool") {
        std::string pattern = read_tool_pattern(reporter_, item);
        if (!pattern.empty()) term.patterns.push_back(std::move(pattern));
      } else {
        term.patterns.push_back(item.text);
      }
    }
  }

  void read_match(const Yaml& node) {
    if (!node.is_map()) return reporter_.error(node, "`match` must be a map, as in { model: \"gpt-*\" }");
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      MatchTerm term;
      term.attribute = read_attribute(reporter_, node.keys[i]);
      if (term.attribute.empty()) continue;
      read_patterns(node.items[i], term);
      if (!term.patterns.empty()) rule_.match.push_back(std::move(term));
    }
  }

  void read_per(const Yaml& node) {
    if (node.is_scalar() && node.text == "global") return;
    const bool list = node.is_list();
    if ((list && node.items.empty()) || node.is_map() || node.items.size() > kMaxPer) {
      return reporter_.error(node, "`per` must be an attribute, a list of 1 to 8 of them, or global");
    }
    for (std::size_t i = 0; i < (list ? node.items.size() : 1); ++i) {
      const Yaml& item = list ? node.items[i] : node;
      if (item.text == "global") {
        reporter_.error(item, "`global` stands alone: it is one bucket for everybody");
        continue;
      }
      std::string name = read_attribute(reporter_, item);
      if (name.empty()) continue;
      if (std::find(rule_.per.begin(), rule_.per.end(), name) != rule_.per.end()) {
        reporter_.error(item, "`" + name + "` appears twice");
        continue;
      }
      rule_.per.push_back(std::move(name));
    }
  }

  bool is_custom_meter(std::string_view name) const {
    return std::any_of(policy_.upstreams.begin(), policy_.upstreams.end(), [&](const Upstream& upstream) {
      return std::any_of(upstream.meters.begin(), upstream.meters.end(),
                         [&](const MeterSource& m) { return m.name == name; });
    });
  }

  void add_meter(const Yaml& name, std::int64_t weight) {
    MeterTerm term;
    term.weight = weight;
    const auto known =
        std::find_if(kMeters.begin(), kMeters.end(), [&](const auto& m) { return m.first == name.text; });
    if (known != kMeters.end()) {
      term.kind = known->second;
    } else if (name.is_scalar() && is_custom_meter(name.text)) {
      term.kind = MeterKind::kCustom;
      term.custom = name.text;
    } else {
      std::vector<std::string_view> names;
      for (const auto& [word, kind] : kMeters) names.push_back(word);
      for (const Upstream& upstream : policy_.upstreams) {
        for (const MeterSource& meter : upstream.meters) names.push_back(meter.name);
      }
      std::string hint = did_you_mean(name.text, names);
      if (hint.empty()) hint = "; custom meters are declared in `meters` of an upstream";
      return reporter_.error(name, "unknown meter `" + name.text + "`" + hint);
    }
    rule_.meter.push_back(std::move(term));
  }

  void read_meter(const Yaml& node) {
    if (node.is_scalar()) {
      rule_.meter_name = node.text;
      add_meter(node, 1);
    } else if (node.is_map() && !node.keys.empty() && node.keys.size() <= kMeters.size() + 8) {
      for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const auto weight = parse_decimal(node.items[i].text);
        if (!weight || *weight < 1 || *weight > kMaxWeight) {
          reporter_.error(node.items[i], "a weight is a whole number from 1 to 1000000");
          continue;
        }
        add_meter(node.keys[i], *weight);
        rule_.meter_name += (rule_.meter_name.empty() ? "" : "+") +
                            (*weight == 1 ? node.keys[i].text : std::to_string(*weight) + "*" + node.keys[i].text);
      }
    } else {
      return reporter_.error(node, "`meter` must be a name, or weights such as {input_tokens: 1, output_tokens: 4}");
    }
    check_meter(node);
  }

  void check_meter(const Yaml& node) {
    const auto has = [&](MeterKind kind) {
      return std::any_of(rule_.meter.begin(), rule_.meter.end(), [&](const MeterTerm& t) { return t.kind == kind; });
    };
    const bool several = rule_.meter.size() > 1;
    const bool weighted = several || (rule_.meter.size() == 1 && rule_.meter[0].weight != 1);
    if (weighted && has(MeterKind::kConcurrency))
      reporter_.error(node, "concurrency cannot be weighted or mixed with other meters");
    if (several && has(MeterKind::kUsd))
      reporter_.error(node, "usd cannot be mixed with other meters: the units differ");
    unit_ = has(MeterKind::kUsd)           ? AmountUnit::kUsd
            : has(MeterKind::kConcurrency) ? AmountUnit::kConcurrency
                                           : AmountUnit::kCount;
    rule_.layer = layer_of_meter();
  }

  // Of the layers of its terms the one that is asked last.
  Layer layer_of_meter() const {
    Layer out = Layer::kRate;
    for (const MeterTerm& term : rule_.meter) {
      switch (term.kind) {
        case MeterKind::kRequests:
        case MeterKind::kRuns:
        case MeterKind::kConcurrency:
        case MeterKind::kBytesIn:
        case MeterKind::kBytesOut:
          break;
        case MeterKind::kToolCalls:
          out = std::max(out, Layer::kTool);
          break;
        default:
          out = std::max(out, Layer::kBudget);
      }
    }
    return out;
  }

  std::vector<WindowRule> read_windows(const Yaml& node) {
    std::vector<WindowRule> out;
    const bool list = node.is_list();
    if (node.kind == Yaml::Kind::kNull || node.is_map() || (list && node.items.empty()) ||
        node.items.size() > kMaxWindows) {
      reporter_.error(node, "`allow` must be an amount such as `20/1m`, or a list of 1 to 8 of them");
      return out;
    }
    for (std::size_t i = 0; i < (list ? node.items.size() : 1); ++i) {
      const Yaml& item = list ? node.items[i] : node;
      auto window =
          item.is_scalar() ? parse_window(item.text, unit_) : fail("an amount must be a single value such as `20/1m`");
      if (!window) {
        reporter_.error(item, window.error().message);
        continue;
      }
      const bool twice = std::any_of(out.begin(), out.end(), [&](const WindowRule& other) {
        return other.kind == window->kind && other.length == window->length && other.calendar == window->calendar;
      });
      if (twice) {
        reporter_.error(
            item, unit_ == AmountUnit::kConcurrency ? "concurrency has one amount" : "two amounts for the same window");
        continue;
      }
      out.push_back(std::move(*window));
    }
    for (WindowRule& window : out) window.item = out.size() > 1 ? rule_.name + "-" + window.label : rule_.name;
    return out;
  }

  void read_allow(const Yaml& node) {
    if (!node.is_map()) {
      rule_.allow.push_back({"", read_windows(node)});
      return;
    }
    if (node.keys.empty()) return reporter_.error(node, "`allow` needs at least one tier");
    std::vector<std::string_view> tiers{"default", "anonymous"};
    for (const Tier& tier : policy_.tiers) tiers.push_back(tier.name);
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const std::string& tier = node.keys[i].text;
      if (std::find(tiers.begin(), tiers.end(), tier) == tiers.end()) {
        reporter_.error(node.keys[i], "unknown tier `" + tier + "`" + did_you_mean(tier, tiers));
      }
      rule_.allow.push_back({tier == "default" ? "" : tier, read_windows(node.items[i])});
    }
  }

  void read_modes() {
    read_on_exceed(section_, rule_);
    rule_.shadow = section_.choice("mode") == "shadow";
    section_.boolean("contextual", rule_.contextual);
    const std::string_view fail_mode = section_.choice("fail");
    if (fail_mode == "open") rule_.fail = FailMode::kOpen;
    if (fail_mode == "closed") rule_.fail = FailMode::kClosed;
    const std::string_view missing = section_.choice("missing");
    if (missing == "skip") rule_.missing = MissingMode::kSkip;
    if (missing == "refuse") rule_.missing = MissingMode::kRefuse;
    std::int64_t precision = rule_.precision;
    section_.integer("precision", precision, 1, 1'000);
    rule_.precision = static_cast<std::uint16_t>(precision);
  }

  Reporter& reporter_;
  const Policy& policy_;
  Section section_;
  AmountUnit unit_ = AmountUnit::kCount;
  LimitRule rule_;
};

}  // namespace

void load_limits(Section& root, Policy& policy, bool built_in, std::vector<LimitSource>& sources) {
  const Yaml* node =
      root.list("limits", 0, kMaxLimits, "a list of at most 1000 limits, each a map such as { name: … }");
  if (node == nullptr) return;
  for (const Yaml& item : node->items) {
    LimitSource source;
    LimitRule rule = LimitReader(root.reporter(), policy, item).read(source);
    rule.line = built_in ? 0 : item.line;
    policy.limits.push_back(std::move(rule));
    sources.push_back(source);
  }
}

}  // namespace weir
