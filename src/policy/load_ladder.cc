// `degrade`, `on_exceed` and `hard` of one limit.
#include <algorithm>

#include "base/strings.h"
#include "policy/amounts.h"
#include "policy/loader.h"

namespace weir {
namespace {

constexpr std::int64_t kMaxTokens = std::int64_t{1} << 40;
constexpr std::int64_t kMaxMessages = 1'000'000;

// "50%", whole percent.
std::optional<int> read_percent(Section& s, const Yaml& value, std::string_view key, int least, int most) {
  std::string_view text = value.text;
  const bool sign = value.is_scalar() && text.ends_with('%');
  if (sign) text.remove_suffix(1);
  const auto percent = parse_decimal(text);
  if (sign && percent && *percent >= least && *percent <= most) return static_cast<int>(*percent);
  std::string hint;
  if (!sign && percent && *percent >= least && *percent <= most) hint = "; write `" + value.text + "%`";
  s.reporter().error(value, "`" + std::string(key) + "` must be a whole percentage from " + std::to_string(least) +
                                "% to " + std::to_string(most) + "%" + hint);
  return std::nullopt;
}

void read_model_map(Section& s, Rung& rung) {
  const Yaml* node = s.map("model", 1, kMaxLadderModels, "a map of 1 to 100 models, as in { gpt-4o: gpt-4o-mini }");
  if (node == nullptr) return;
  Reporter& reporter = s.reporter();
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    const Yaml& from = node->keys[i];
    const Yaml& to = node->items[i];
    bool good = true;
    for (const Yaml* name : {&from, &to}) {
      if (name->is_scalar() && is_value(name->text) && name->text.find('*') == std::string::npos) continue;
      reporter.error(*name, "write the full name of a model here, as in { gpt-4o: gpt-4o-mini }");
      good = false;
    }
    if (good && from.text == to.text) {
      reporter.error(to, "`" + to.text + "` would become itself; name a cheaper model");
    } else if (good) {
      rung.model[from.text] = to.text;
    }
  }
}

Rung read_rung(Section& s) {
  Rung rung;
  if (const Yaml* at = s.required("at")) rung.percent = read_percent(s, *at, "at", 1, 1'000).value_or(0);
  read_model_map(s, rung);
  if (s.get("max_tokens") != nullptr) {
    std::int64_t tokens = 1;
    s.integer("max_tokens", tokens, 1, kMaxTokens);
    rung.max_tokens = tokens;
  }
  if (s.get("keep_messages") != nullptr) {
    std::int64_t messages = 1;
    s.integer("keep_messages", messages, 1, kMaxMessages);
    rung.keep_messages = static_cast<std::size_t>(messages);
  }
  const Yaml& node = s.node();
  const bool any = node.find("model") != nullptr || rung.max_tokens || rung.keep_messages;
  if (node.is_map() && !any) {
    s.reporter().error(node, "this rung changes nothing; give it `model`, `max_tokens` or `keep_messages`");
  }
  s.finish();
  return rung;
}

void read_ladder(Section& limit, LimitRule& rule) {
  const Yaml* node =
      limit.list("degrade", 1, kMaxRungs, "a list of 1 to 16 rungs, as in [{ at: 80%, max_tokens: 1024 }]");
  if (node == nullptr) return;
  Reporter& reporter = limit.reporter();
  for (const Yaml& item : node->items) {
    Section s(reporter, item, "rung");
    Rung rung = read_rung(s);
    if (rung.percent == 0) continue;  // reported
    const bool twice =
        std::any_of(rule.degrade.begin(), rule.degrade.end(), [&](const Rung& r) { return r.percent == rung.percent; });
    if (twice) {
      reporter.error(item, "two rungs begin at " + std::to_string(rung.percent) + "%; write them as one");
      continue;
    }
    rule.degrade.push_back(std::move(rung));
  }
  std::sort(rule.degrade.begin(), rule.degrade.end(),
            [](const Rung& a, const Rung& b) { return a.percent < b.percent; });
}

constexpr DurationNs kLongestQueue = kMinute;

void read_queue(Section& limit, const Yaml& at, std::string_view text, LimitRule& rule) {
  const auto wait = parse_duration(trim(text));
  if (wait && *wait >= kMillisecond && *wait <= kLongestQueue) {
    rule.on_exceed = OnExceed::kQueue;
    rule.queue = *wait;
  } else {
    limit.reporter().error(at,
                           "`queue` must say how long a request may wait, 1ms to 60s, as in on_exceed: { queue: 2s }");
  }
}

bool counts_tool_calls(const LimitRule& rule) {
  const bool calls = std::all_of(rule.meter.begin(), rule.meter.end(),
                                 [](const MeterTerm& t) { return t.kind == MeterKind::kToolCalls; });
  const bool in_flight = std::all_of(rule.meter.begin(), rule.meter.end(),
                                     [](const MeterTerm& t) { return t.kind == MeterKind::kConcurrency; });
  const bool matches =
      std::any_of(rule.match.begin(), rule.match.end(), [](const MatchTerm& t) { return t.attribute == "tool"; });
  return calls || (in_flight && matches);
}

void read_word(Section& limit, const Yaml& action, LimitRule& rule) {
  const std::string_view word = limit.choice("on_exceed");
  if (word == "degrade") rule.on_exceed = OnExceed::kDegrade;
  if (word == "degrade" && limit.get("degrade") == nullptr) {
    limit.reporter().error(action,
                           "`on_exceed: degrade` needs a ladder; add one as in degrade: "
                           "[{ at: 80%, max_tokens: 1024 }]");
  }
  if (word != "strip_tool") return;
  rule.on_exceed = OnExceed::kStripTool;
  if (!counts_tool_calls(rule)) {
    limit.reporter().error(action,
                           "`on_exceed: strip_tool` needs `meter: tool_calls`, or `concurrency` with a `match` on "
                           "`tool`; other limits have no tool to take away");
  }
}

void read_action(Section& limit, LimitRule& rule) {
  constexpr std::string_view kQueue = "queue";
  const Yaml* action = limit.get("on_exceed");
  if (action == nullptr) return;
  if (action->is_map() && action->keys.size() == 1 && action->keys.front().text == kQueue) {
    const Yaml& wait = action->items.front();
    return read_queue(limit, wait, wait.is_scalar() ? wait.text : "", rule);
  }
  if (action->is_scalar() && action->text.starts_with(kQueue)) {
    const std::string_view rest = std::string_view(action->text).substr(kQueue.size());
    return read_queue(limit, *action, rest.starts_with(':') ? rest.substr(1) : "", rule);
  }
  if (action->is_scalar()) return read_word(limit, *action, rule);
  limit.reporter().error(*action,
                         "`on_exceed` must be a single value, or { queue: 2s }; for a hard share write "
                         "`on_exceed: degrade` and beside it `hard: 120%`");
}

}  // namespace

void read_on_exceed(Section& limit, LimitRule& rule) {
  read_ladder(limit, rule);
  read_action(limit, rule);
  const bool degrades = rule.on_exceed == OnExceed::kDegrade;
  const Yaml* hard = limit.get("hard");
  if (hard == nullptr) return;
  const auto percent = read_percent(limit, *hard, "hard", 100, 1'000);
  if (percent) rule.hard_percent = *percent;
  if (percent && !degrades) limit.reporter().error(*hard, "`hard` works only with `on_exceed: degrade`; add that");
}

}  // namespace weir
