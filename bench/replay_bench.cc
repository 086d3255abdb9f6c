// Recorded traffic through the limiter: how far real use goes over a limit, what is admitted, how fast a replay is.
//
//   replay_bench [--rounds N] [--precision N] [trace.csv…]     JSON lines on stdout, a table on stderr
//
// Workload: each tenant of a trace gets a limit of half of its own 60-second peak of input + output tokens (at least
// its largest request), sliding over 60 s; default reservation settings, cap 1024, answers take 0.5 s + 20 ms a token.
//   over      largest use of any tenant in any 60 s, by its limit; of the two ways to place tokens in time the worse:
//             all of a row at its admission, or each where it was charged (admission, top-up, settlement)
//   admitted  tokens of admitted rows, by those that the rival admits
// The rival: an exact sliding log that knows every answer's length beforehand and charges it at admission, in order.
// Time is the wall's, from reading the file to the last completion; the median of the rounds.
// Without arguments: the load traces beside the repository; there is nothing to measure where they are absent.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "replay/replay.h"

namespace {

using namespace weir;

constexpr DurationNs kWindow = 60 * kSecond;

struct Row {
  TimeNs time;
  std::string tenant;
  std::int64_t tokens;
};

struct Use {
  TimeNs time;
  std::int64_t tokens;
};

// The most in any window (t - 60 s, t].
std::int64_t peak_of(std::vector<Use> uses) {
  std::stable_sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) { return a.time < b.time; });
  std::int64_t sum = 0, most = 0;
  std::size_t oldest = 0;
  for (const Use& use : uses) {
    sum += use.tokens;
    while (uses[oldest].time <= use.time - kWindow) sum -= uses[oldest++].tokens;
    most = std::max(most, sum);
  }
  return most;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "replay_bench: %s\n", why.c_str());
  std::exit(2);
}

template <typename Visit>
void each_row(const std::string& text, const std::string& path, Visit visit) {
  auto trace = open_trace(text, path);
  if (!trace) stop(trace.error().message);
  TraceRow row;
  while (true) {
    const auto more = (*trace)->next(row);
    if (!more) stop(more.error().message);
    if (!*more) return;
    visit(**trace, row);
  }
}

std::vector<Row> rows_of(const std::string& path) {
  std::vector<Row> rows;
  const std::string text = read_text(path);
  each_row(text, path, [&](const TraceReader&, const TraceRow& row) {
    rows.push_back({row.time, std::string(row.tenant), row.input_tokens + row.output_tokens});
  });
  return rows;
}

using Limits = std::map<std::string, std::int64_t>;

Limits limits_for(const std::vector<Row>& rows) {
  std::map<std::string, std::vector<Use>> uses;
  Limits limits;
  for (const Row& row : rows) {
    uses[row.tenant].push_back({row.time, row.tokens});
    limits[row.tenant] = std::max(limits[row.tenant], row.tokens);
  }
  for (auto& [tenant, limit] : limits) limit = std::max(limit, peak_of(uses[tenant]) / 2);
  return limits;
}

// What an exact log with foreknowledge admits, in tokens.
std::int64_t admitted_by_rival(const std::vector<Row>& rows, const Limits& limits) {
  struct Log {
    std::deque<Use> uses;
    std::int64_t sum = 0;
  };
  std::map<std::string, Log> logs;
  std::int64_t admitted = 0;
  for (const Row& row : rows) {
    Log& log = logs[row.tenant];
    while (!log.uses.empty() && log.uses.front().time <= row.time - kWindow) {
      log.sum -= log.uses.front().tokens;
      log.uses.pop_front();
    }
    if (log.sum + row.tokens > limits.at(row.tenant)) continue;
    log.uses.push_back({row.time, row.tokens});
    log.sum += row.tokens;
    admitted += row.tokens;
  }
  return admitted;
}

std::shared_ptr<const Policy> policy_for(const Limits& limits, int precision) {
  if (limits.size() > 1'000) stop("a policy holds 1,000 limits, the trace has more tenants");
  std::string text = "limits:\n";
  std::size_t number = 0;
  for (const auto& [tenant, limit] : limits) {
    text += "  - { name: t" + std::to_string(number++) + ", meter: tokens, allow: " + std::to_string(limit) +
            "/1m, precision: " + std::to_string(precision);
    text += tenant.empty() ? ", per: global }\n" : ", per: tenant, match: { tenant: \"" + tenant + "\" } }\n";
  }
  const LoadedPolicy loaded = load_policy(text, "bench", [](std::string_view) { return std::nullopt; });
  if (!loaded.policy) stop(to_string(loaded.diagnostics.front()));
  return loaded.policy;
}

struct Outcome {
  double over_at_admission = 0, over_at_charge = 0;
  std::int64_t admitted = 0, top_ups = 0, debts = 0, open = 0;
};

Outcome measure(const std::string& path, const std::vector<Row>& rows, const Limits& limits, int precision,
                bool whole_cap) {
  std::map<std::string, std::vector<Use>> at_admission, at_charge;
  ReplayOptions options{.whole_cap = whole_cap};
  const auto tenant_of = [&](std::int64_t row) { return rows[static_cast<std::size_t>(row) - 1].tenant; };
  options.charged = [&](const ReplayedCharge& c) { at_charge[tenant_of(c.row)].push_back({c.time, c.tokens}); };
  Replay replay(policy_for(limits, precision), options, [&](const ReplayedRow& row) {
    if (row.settled) at_admission[std::string(row.tenant)].push_back({row.time, *row.settled});
  });
  const std::string text = read_text(path);
  bool first = true;
  each_row(text, path, [&](const TraceReader& trace, const TraceRow& row) {
    if (std::exchange(first, false)) replay.begin_trace(trace);
    if (auto added = replay.add(row); !added) stop(added.error().message);
  });
  replay.finish();
  Outcome out{.admitted = replay.summary().tokens_used,
              .top_ups = replay.summary().top_ups,
              .debts = replay.summary().debts,
              .open = replay.summary().open_reservations};
  const auto over = [&](const auto& uses) {
    double most = 0;
    for (const auto& [tenant, list] : uses) {
      most = std::max(most, static_cast<double>(peak_of(list)) / static_cast<double>(limits.at(tenant)));
    }
    return most;
  };
  out.over_at_admission = over(at_admission);
  out.over_at_charge = over(at_charge);
  return out;
}

// Reading, parsing, deciding: what `weir replay --json` does besides starting up.
double seconds_of(const std::string& path, const Limits& limits, int rounds) {
  std::vector<double> seconds;
  const auto policy = policy_for(limits, 60);
  for (int i = 0; i < rounds; ++i) {
    const auto began = std::chrono::steady_clock::now();
    const std::string text = read_text(path);
    Replay replay(policy, {}, {});
    bool first = true;
    each_row(text, path, [&](const TraceReader& trace, const TraceRow& row) {
      if (std::exchange(first, false)) replay.begin_trace(trace);
      if (auto added = replay.add(row); !added) stop(added.error().message);
    });
    replay.finish();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void bench(const std::string& path, int rounds, int precision) {
  const std::vector<Row> rows = rows_of(path);
  const Limits limits = limits_for(rows);
  const auto rival = static_cast<double>(admitted_by_rival(rows, limits));
  const std::string name = std::filesystem::path(path).stem();
  const double seconds = seconds_of(path, limits, rounds);
  for (const bool whole_cap : {true, false}) {
    const Outcome out = measure(path, rows, limits, precision, whole_cap);
    const char* mode = whole_cap ? "reserve" : "estimate";
    const double over = std::max(out.over_at_admission, out.over_at_charge);
    const double admitted = static_cast<double>(out.admitted) / rival;
    std::printf(
        "{\"bench\":\"replay\",\"trace\":\"%s\",\"mode\":\"%s\",\"rows\":%zu,\"tenants\":%zu,\"precision\":%d,"
        "\"over\":%.4f,\"over_at_admission\":%.4f,\"over_at_charge\":%.4f,\"admitted\":%.4f,\"top_ups\":%lld,"
        "\"debts\":%lld,\"open_reservations\":%lld,\"seconds\":%.3f}\n",
        name.c_str(), mode, rows.size(), limits.size(), precision, over, out.over_at_admission, out.over_at_charge,
        admitted, static_cast<long long>(out.top_ups), static_cast<long long>(out.debts),
        static_cast<long long>(out.open), seconds);
    std::fprintf(stderr, "%-34s %-8s over %.3f (at admission %.3f, at charge %.3f)  admitted %5.1f%%  %.3f s\n",
                 name.c_str(), mode, over, out.over_at_admission, out.over_at_charge, 100 * admitted, seconds);
  }
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 5, precision = 60;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--rounds" && i + 1 < argc) {
      rounds = std::max(1, std::atoi(argv[++i]));
    } else if (argument == "--precision" && i + 1 < argc) {
      precision = std::clamp(std::atoi(argv[++i]), 1, 1000);
    } else {
      paths.push_back(argument);
    }
  }
  const std::string data = WEIR_SOURCE_DIR "/../shared/data";
  if (paths.empty() && std::filesystem::is_directory(data)) {
    for (const char* name : {"servegen_mlarge_diverse1h", "servegen_mlarge_peak1h", "azure2023_conv"}) {
      paths.push_back(data + "/load_" + name + ".csv");
    }
  }
  if (paths.empty()) std::fprintf(stderr, "replay_bench: %s is absent: nothing to measure\n", data.c_str());
  for (const std::string& path : paths) bench(path, rounds, precision);
  return 0;
}
