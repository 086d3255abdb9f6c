#include "admin/what_if_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/json_writer.h"
#include "base/strings.h"
#include "replay/recorded_keys.h"
#include "replay/replay.h"

namespace weir {
namespace {

constexpr std::int64_t kRowsBetweenLooks = 256;

// A trace whose rows come from the store.
class LedgerRows final : public TraceReader {
 public:
  Result<bool> next(TraceRow&) override { return false; }
  bool absolute() const override { return true; }
};

struct RefusedRequest {
  TimeNs time = 0;
  std::string key, user, run, agent;
  std::int64_t tokens = -1;  // asked; negative: the refusal does not say
  std::int64_t count = 1;
};

bool counts_tokens(const Policy& policy, std::string_view limit) {
  return std::any_of(policy.limits.begin(), policy.limits.end(), [&](const LimitRule& rule) {
    return rule.name == limit && rule.meter.size() == 1 && rule.meter[0].weight == 1 &&
           (rule.meter[0].kind == MeterKind::kTokens || rule.meter[0].kind == MeterKind::kInputTokens);
  });
}

// What a key asked for last stands in for what a refusal does not record.
struct Typical {
  std::string tenant, user, tier, kind, model, route;
  std::int64_t input = 0, cached = 0, output = 0, held = 0;  // held: of the output, at admission
};

class WhatIf {
 public:
  WhatIf(Store& store, const WhatIfQuestion& question, const std::function<bool(double)>& go_on)
      : store_(store),
        question_(question),
        go_on_(go_on),
        keys_(store.load_directory()),
        current_(question.current, {}, [this](const ReplayedRow& row) { note(row, now_, &Pair::first); }),
        draft_(question.draft, {}, [this](const ReplayedRow& row) { note(row, then_, &Pair::second); }) {
    current_.begin_trace(trace_);
    draft_.begin_trace(trace_);
    result_.from = question.from;
    result_.until = question.until;
  }

  Result<WhatIfResult> run() {
    if (auto read = read_refused(); !read) return std::unexpected(read.error());
    Result<void> state;
    const auto read = store_.usage(question_.from, [&](const UsageRow& row) {
      if (row.time >= question_.until) return false;
      state = refused_until(row.time);
      if (state) state = admitted(row);
      return state && !full_;
    });
    if (!read) return std::unexpected(read.error());
    if (!state) return std::unexpected(state.error());
    if (!full_) state = refused_until(question_.until);
    if (!state) return std::unexpected(state.error());
    current_.finish();
    draft_.finish();
    sum(current_.summary(), result_.current);
    sum(draft_.summary(), result_.draft);
    explain();
    return std::move(result_);
  }

 private:
  using Pair = std::pair<std::int64_t, std::int64_t>;
  struct Seen {
    bool refused = false;
    std::string limit;
  };

  void note(const ReplayedRow& row, Seen& seen, std::int64_t Pair::* side) {
    seen.refused = row.decision == ReplayDecision::kRefuse;
    seen.limit = row.limit;
    if (seen.refused) ++(result_.limits[row.limit.empty() ? "(attribute missing)" : seen.limit].*side);
  }

  Result<void> read_refused() {
    std::int64_t all = 0;
    return store_.audit(AuditQuery{.since = question_.from, .event = AuditEvent::kRefused, .key = {}},
                        [&](const AuditRow& row) {
                          if (row.time >= question_.until || all >= kMaxWhatIfRefused)
                            return row.time < question_.until;
                          RefusedRequest out{row.time, row.key, row.user, row.run, row.agent};
                          out.count = std::clamp<std::int64_t>(row.count, 1, kMaxWhatIfRefused - all);
                          all += out.count;
                          const auto asked = parse_decimal(row.requested);
                          if (asked && counts_tokens(*question_.current, row.limit)) out.tokens = *asked;
                          refused_.push_back(std::move(out));
                          return true;
                        });
  }

  Result<void> admitted(const UsageRow& row) {
    Typical typical{row.tenant,         row.user,
                    row.tier,           row.kind,
                    row.model,          row.route,
                    row.usage.input(),  row.usage.cache_read,
                    row.usage.output(), std::max<std::int64_t>(0, row.reserved_tokens - row.usage.input())};
    const auto done = replay(row.time, row.key, row.user, row.run, row.agent, row.conversation, typical);
    if (typical_.size() < kMaxWhatIfKeys || typical_.contains(row.key)) typical_[row.key] = std::move(typical);
    return done;
  }

  Result<void> refused_until(TimeNs time) {
    for (; next_ < refused_.size() && refused_[next_].time <= time; ++next_) {
      const RefusedRequest& row = refused_[next_];
      const auto found = typical_.find(row.key);
      if (row.key.empty() || (found == typical_.end() && row.tokens < 0)) {
        unknown_ += row.count;
        continue;
      }
      Typical typical = found != typical_.end() ? found->second : Typical{};
      if (row.tokens >= 0) {
        typical.input = std::clamp<std::int64_t>(row.tokens - typical.output, 0, kMaxRowTokens);
        typical.cached = 0;
      }
      for (std::int64_t i = 0; i < row.count && !full_; ++i, ++stood_in_) {
        const std::string& user = row.user.empty() ? typical.user : row.user;
        if (auto done = replay(row.time, row.key, user, row.run, row.agent, {}, typical); !done) return done;
      }
    }
    return {};
  }

  Result<void> replay(TimeNs time, std::string_view key, std::string_view user, std::string_view run,
                      std::string_view agent, std::string_view conversation, const Typical& typical) {
    last_ = std::max(last_, time);  // the replay's clock never goes back
    TraceRow row{.time = last_, .tenant = typical.tenant, .conversation = conversation, .model = typical.model};
    row.key = key;
    row.user = user;
    row.tier = typical.tier;
    row.kind = typical.kind;
    row.run = run;
    row.agent = agent;
    row.route = typical.route;
    row.input_tokens = std::clamp<std::int64_t>(typical.input, 0, kMaxRowTokens);
    row.cached_tokens = std::clamp<std::int64_t>(typical.cached, 0, row.input_tokens);
    row.output_tokens = std::clamp<std::int64_t>(typical.output, 0, kMaxRowOutput);
    row.output_held = std::clamp<std::int64_t>(typical.held, 0, kMaxRowOutput);
    keys_.complete(row);
    if (auto done = current_.add(row); !done) return fail("the policy in force: " + done.error().message);
    if (auto done = draft_.add(row); !done) return fail("the draft: " + done.error().message);
    if (now_.refused != then_.refused) {
      auto& changes = now_.refused ? result_.newly_allowed : result_.newly_refused;
      std::pair<std::string, std::string> change{key, now_.refused ? now_.limit : then_.limit};
      if (changes.size() < kMaxWhatIfChanges || changes.contains(change)) ++changes[std::move(change)];
    }
    full_ = ++result_.rows >= question_.most_rows;
    if (full_) result_.until = last_;
    if (result_.rows % kRowsBetweenLooks == 0) {
      const auto span = static_cast<double>(std::max<TimeNs>(1, question_.until - question_.from));
      if (!go_on_(std::clamp(static_cast<double>(last_ - question_.from) / span, 0.0, 1.0))) return fail("cancelled");
    }
    return {};
  }

  static void sum(const ReplaySummary& from, WhatIfSums& out) {
    out = {.allowed = from.allowed - from.degraded, .degraded = from.degraded, .refused = from.refused};
  }

  void explain() {
    std::string& note = result_.note;
    note = "Counters start empty, and each answer's output is the recorded one.";
    if (stood_in_ > 0) {
      note += fmt::format(
          " {} refused requests are asked again: what a refusal does not record (model, output) is that of the key's "
          "latest admitted request.",
          stood_in_);
    }
    if (unknown_ > 0) note += fmt::format(" {} refused requests are left out: too little is known of them.", unknown_);
    note.append(" ").append(assumption({}));
    if (const std::string keys = keys_.note(); !keys.empty()) note.append(" ").append(keys);
    if (full_) note += fmt::format(" Only the first {} requests were replayed.", result_.rows);
  }

  Store& store_;
  const WhatIfQuestion& question_;
  const std::function<bool(double)>& go_on_;
  LedgerRows trace_;
  Seen now_, then_;
  WhatIfResult result_;
  RecordedKeys keys_;
  Replay current_, draft_;
  std::vector<RefusedRequest> refused_;
  std::size_t next_ = 0;
  std::unordered_map<std::string, Typical> typical_;
  std::int64_t stood_in_ = 0, unknown_ = 0;
  TimeNs last_ = 0;
  bool full_ = false;
};

void write(JsonWriter& json, const char* name, const WhatIfSums& sums) {
  json.key(name).begin_object().key("allowed").number(sums.allowed).key("degraded").number(sums.degraded);
  json.key("refused").number(sums.refused).end_object();
}

void write(JsonWriter& json, const char* name, const WhatIfResult::Changes& changes) {
  constexpr std::size_t kShown = 100;
  std::vector<std::pair<std::int64_t, const std::pair<std::string, std::string>*>> sorted;
  for (const auto& [change, count] : changes) sorted.emplace_back(count, &change);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : *a.second < *b.second;
  });
  if (sorted.size() > kShown) sorted.resize(kShown);
  json.key(name).begin_array();
  for (const auto& [count, change] : sorted) {
    json.begin_object().key("key").string(change->first).key("limit").string(change->second);
    json.key("count").number(count).end_object();
  }
  json.end_array();
}

}  // namespace

Result<WhatIfResult> run_what_if(Store& store, const WhatIfQuestion& question,
                                 const std::function<bool(double)>& go_on) {
  return WhatIf(store, question, go_on).run();
}

std::string what_if_json(const WhatIfResult& result) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("rows").number(result.rows).key("from").string(format_rfc3339(result.from));
  json.key("until").string(format_rfc3339(result.until));
  write(json, "current", result.current);
  write(json, "draft", result.draft);
  json.key("limits").begin_array();
  for (const auto& [limit, counts] : result.limits) {
    json.begin_object().key("limit").string(limit).key("current").number(counts.first);
    json.key("draft").number(counts.second).end_object();
  }
  json.end_array();
  write(json, "newly_refused", result.newly_refused);
  write(json, "newly_allowed", result.newly_allowed);
  json.key("note").string(result.note).end_object();
  return out;
}

}  // namespace weir
