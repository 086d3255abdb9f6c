// Benchmarks of the engine, one thread, each beside a rival in the same run.
//
//   engine_bench [--small] [--rounds N] [--operations N] [workload…]     JSON lines on stdout, a table on stderr
//
// Workloads (every operation includes hashing the subject's name with the keyed SubjectHasher):
//   bucket_calendar   4 limits of one subject (2 buckets, 2 calendars), 10M live subjects, drawn uniformly
//   three_subjects    the same 4 limits spread over three subjects drawn from the same 10M
//   sliding           4 sliding limits (rings of 60 buckets, 32 bit) of one subject, 1M live subjects
//   reservation       admit (tokens held, one request spent, one slot) and settle, 100k subjects
//   hot_subject       one bucket of one subject
//   hot_four          4 limits of one subject
// The rival: the same limits as independent limiters, each a std::mutex around a std::unordered_map, checked and
// charged one after the other (so it is not even atomic over several limits). bytes_per_subject is resident memory.
// --small divides the numbers of subjects by 10. Rounds of ours and the rival alternate; medians of the
// thread's processor time are reported.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "weir/limiter.h"
#include "weir/subject.h"

namespace {

using namespace weir;

constexpr DurationNs kSecond = 1'000'000'000;
constexpr TimeNs kStart = 1'700'006'400ll * kSecond;
constexpr DurationNs kDay = 86'400 * kSecond;
constexpr std::int64_t kPlenty = 1'000'000'000;

class Random {
 public:
  std::uint64_t below(std::uint64_t bound) {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(state_) * bound) >> 64);
  }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15ull;
};

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

SubjectSecret make_secret() {
  SubjectSecret secret;
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<unsigned char>(i * 37 + 11);
  return secret;
}

class Names {
 public:
  Hash128 hash(std::uint64_t number) {
    char name[24] = "acme/user-";
    for (int i = 17; i >= 10; --i, number /= 10) name[i] = static_cast<char>('0' + number % 10);
    return hasher_.begin("caller").add({name, 18}).finish();
  }

 private:
  SubjectSecret secret_ = make_secret();
  SubjectHasher hasher_{secret_};
};

struct KeyHash {
  std::size_t operator()(const Hash128& key) const { return key.low; }
};

// What people write first: one map and one mutex per limit.
class MapLimiter {
 public:
  virtual ~MapLimiter() = default;
  virtual bool admit(const Hash128& key, std::int64_t cost, TimeNs now) = 0;
  virtual void give_back(const Hash128&, std::int64_t) {}
};

class MapBucket final : public MapLimiter {
 public:
  bool admit(const Hash128& key, std::int64_t cost, TimeNs now) override {
    std::lock_guard guard(mutex_);
    State& state = states_[key];
    const double refilled = state.tokens + static_cast<double>(now - state.at) * 1e-3;
    state.tokens = std::min(refilled, static_cast<double>(kPlenty));
    state.at = now;
    if (state.tokens < static_cast<double>(cost)) return false;
    state.tokens -= static_cast<double>(cost);
    return true;
  }

 private:
  struct State {
    double tokens = static_cast<double>(kPlenty);
    TimeNs at = 0;
  };
  std::mutex mutex_;
  std::unordered_map<Hash128, State, KeyHash> states_;
};

class MapCalendar final : public MapLimiter {
 public:
  bool admit(const Hash128& key, std::int64_t cost, TimeNs now) override {
    std::lock_guard guard(mutex_);
    State& state = states_[key];
    const TimeNs start = now - now % kDay;
    if (state.start != start) state = {.start = start, .used = 0};
    if (state.used + cost > kPlenty) return false;
    state.used += cost;
    return true;
  }
  void give_back(const Hash128& key, std::int64_t cost) override {
    std::lock_guard guard(mutex_);
    states_[key].used -= cost;
  }

 private:
  struct State {
    TimeNs start = 0;
    std::int64_t used = 0;
  };
  std::mutex mutex_;
  std::unordered_map<Hash128, State, KeyHash> states_;
};

class MapRing final : public MapLimiter {
 public:
  bool admit(const Hash128& key, std::int64_t cost, TimeNs now) override {
    std::lock_guard guard(mutex_);
    State& state = states_[key];
    const std::int64_t bucket = now / kSecond;
    for (std::int64_t b = std::max(state.head + 1, bucket - 60); b <= bucket; ++b) {
      std::uint32_t& cell = state.cells[static_cast<std::size_t>(b % 61)];
      state.sum -= cell;
      cell = 0;
    }
    state.head = bucket;
    if (state.sum + cost > kPlenty) return false;
    state.sum += cost;
    state.cells[static_cast<std::size_t>(bucket % 61)] += static_cast<std::uint32_t>(cost);
    return true;
  }
  void give_back(const Hash128& key, std::int64_t cost) override {
    std::lock_guard guard(mutex_);
    State& state = states_[key];
    state.sum -= cost;
    state.cells[static_cast<std::size_t>(state.head % 61)] -= static_cast<std::uint32_t>(cost);
  }

 private:
  struct State {
    std::int64_t head = 0;
    std::int64_t sum = 0;
    std::array<std::uint32_t, 61> cells{};
  };
  std::mutex mutex_;
  std::unordered_map<Hash128, State, KeyHash> states_;
};

struct Rival {
  std::vector<std::unique_ptr<MapLimiter>> limiters;

  template <typename Kind>
  void add(int count) {
    for (int i = 0; i < count; ++i) limiters.push_back(std::make_unique<Kind>());
  }
  bool admit(const Hash128& key, TimeNs now) {
    bool all = true;
    for (auto& limiter : limiters) all = limiter->admit(key, 1, now) && all;
    return all;
  }
};

struct Ours {
  Limiter limiter{LimiterOptions{.max_bytes = std::size_t{6} << 30}};
  std::vector<Demand> demands;

  void bucket(const char* name) {
    const CounterId id = limiter.define({.identity = name, .kind = WindowKind::kBucket});
    demands.push_back(
        {.counter = id, .cost = 1, .quota = {.amount = kPlenty, .rate = {.units = 1'000'000, .per = kSecond}}});
  }
  void calendar(const char* name) {
    const CounterId id = limiter.define({.identity = name, .kind = WindowKind::kCalendar});
    const TimeNs start = kStart - kStart % kDay;
    demands.push_back(
        {.counter = id, .cost = 1, .quota = {.amount = kPlenty, .period_start = start, .period_end = start + kDay}});
  }
  void ring(const char* name) {
    const CounterId id = limiter.define({.identity = name, .kind = WindowKind::kSliding, .window = 60 * kSecond});
    demands.push_back({.counter = id, .cost = 1, .quota = {.amount = kPlenty}});
  }
  bool admit(std::span<const Subject> subjects, TimeNs now, Hash128 id = {}) {
    limiter.admit({.subjects = subjects, .demands = demands, .now = now, .id = id, .deadline = now + kDay}, decision);
    return decision.admitted;
  }
  Decision decision;
};

struct Result {
  std::string workload;
  double ns = 0, rival_ns = 0, bytes_per_subject = 0, rival_bytes_per_subject = 0;
};

struct Settings {
  bool small = false;
  int rounds = 5;
  std::size_t operations = 1'000'000;  // per round
};

// Processor time of this thread, so that other programs on the machine disturb less than they would wall time.
double thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double nanoseconds_per(std::size_t operations, const std::function<void()>& body) {
  const double begin = thread_cpu_ns();
  body();
  return (thread_cpu_ns() - begin) / static_cast<double>(operations);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "engine_bench: %s\n", what);
  std::exit(1);
}

// Alternates rounds of both; one operation is one call of `ours` or `rival`.
void measure(Result& result, const Settings& settings, const std::function<bool()>& ours,
             const std::function<bool()>& rival) {
  std::vector<double> our_ns, rival_ns;
  bool all = true;
  const auto round = [&](const std::function<bool()>& operation) {
    return nanoseconds_per(settings.operations, [&] {
      for (std::size_t i = 0; i < settings.operations; ++i) all = operation() && all;
    });
  };
  for (int i = 0; i < settings.rounds; ++i) {
    our_ns.push_back(round(ours));
    rival_ns.push_back(round(rival));
  }
  require(all, "an operation was refused");
  result.ns = median(our_ns);
  result.rival_ns = median(rival_ns);
}

// Fills both with `subjects` and notes the memory per subject.
void fill(Result& result, std::uint64_t subjects, const std::function<bool(const Hash128&)>& ours,
          const std::function<bool(const Hash128&)>& rival) {
  Names names;
  const auto bytes_of = [&](const std::function<bool(const Hash128&)>& add) {
    const std::size_t before = resident_bytes();
    for (std::uint64_t i = 0; i < subjects; ++i) require(add(names.hash(i)), "filling was refused");
    return static_cast<double>(resident_bytes() - before) / static_cast<double>(subjects);
  };
  result.bytes_per_subject = bytes_of(ours);
  result.rival_bytes_per_subject = bytes_of(rival);
}

struct BucketsAndCalendars {
  Ours ours;
  Rival rival;
  Names names;
  Random random;
  TimeNs now = kStart;

  BucketsAndCalendars() {
    ours.bucket("a"), ours.bucket("b"), ours.calendar("c"), ours.calendar("d");
    rival.add<MapBucket>(2), rival.add<MapCalendar>(2);
  }
  void fill(Result& result, std::uint64_t subjects) {
    ::fill(
        result, subjects,
        [&](const Hash128& key) {
          const Subject subject{.key = key};
          return ours.admit({&subject, 1}, now += 10);
        },
        [&](const Hash128& key) { return rival.admit(key, now); });
  }
  bool admit_one(std::uint64_t subjects) {
    const Subject subject{.key = names.hash(random.below(subjects))};
    return ours.admit({&subject, 1}, now += 10);
  }
  bool rival_one(std::uint64_t subjects) { return rival.admit(names.hash(random.below(subjects)), now += 10); }
};

void run_large(const Settings& settings, std::vector<Result>& results) {
  const std::uint64_t subjects = settings.small ? 1'000'000 : 10'000'000;
  auto state = std::make_unique<BucketsAndCalendars>();
  Result& one = results.emplace_back(Result{.workload = "bucket_calendar"});
  state->fill(one, subjects);
  measure(one, settings, [&] { return state->admit_one(subjects); }, [&] { return state->rival_one(subjects); });

  Result three{.workload = "three_subjects"};
  three.bytes_per_subject = one.bytes_per_subject;
  three.rival_bytes_per_subject = one.rival_bytes_per_subject;
  const auto demands = state->ours.demands;
  for (std::size_t i = 0; i < demands.size(); ++i) {
    state->ours.demands[i].subject = static_cast<std::uint8_t>(std::min<std::size_t>(i, 2));
  }
  measure(
      three, settings,
      [&] {
        const std::array<Subject, 3> drawn{Subject{.key = state->names.hash(state->random.below(subjects))},
                                           Subject{.key = state->names.hash(state->random.below(subjects))},
                                           Subject{.key = state->names.hash(state->random.below(subjects))}};
        return state->ours.admit(drawn, state->now += 10);
      },
      [&] {
        bool all = true;
        std::array<Hash128, 3> keys;
        for (Hash128& key : keys) key = state->names.hash(state->random.below(subjects));
        for (std::size_t i = 0; i < 4; ++i) {
          all = state->rival.limiters[i]->admit(keys[std::min<std::size_t>(i, 2)], 1, state->now += 10) && all;
        }
        return all;
      });
  results.push_back(three);
}

void run_sliding(const Settings& settings, std::vector<Result>& results) {
  const std::uint64_t subjects = settings.small ? 100'000 : 1'000'000;
  auto ours = std::make_unique<Ours>();
  auto rival = std::make_unique<Rival>();
  Names names;
  Random random;
  TimeNs now = kStart;
  for (const char* name : {"a", "b", "c", "d"}) ours->ring(name);
  rival->add<MapRing>(4);
  const auto admit = [&](const Hash128& key) {
    const Subject subject{.key = key};
    return ours->admit({&subject, 1}, now += 1000);
  };
  Result result{.workload = "sliding"};
  fill(result, subjects, admit, [&](const Hash128& key) { return rival->admit(key, now += 1000); });
  measure(
      result, settings, [&] { return admit(names.hash(random.below(subjects))); },
      [&] { return rival->admit(names.hash(random.below(subjects)), now += 1000); });
  results.push_back(result);
}

void run_reservation(const Settings& settings, std::vector<Result>& results) {
  const std::uint64_t subjects = settings.small ? 10'000 : 100'000;
  auto ours = std::make_unique<Ours>();
  auto rival = std::make_unique<Rival>();
  Names names;
  Random random;
  TimeNs now = kStart;
  ours->ring("tokens"), ours->calendar("dollars");
  for (Demand& demand : ours->demands) demand.cost = 1000, demand.hold = true;
  ours->demands.push_back({.counter = ours->limiter.define({.identity = "in-flight", .kind = WindowKind::kConcurrency}),
                           .cost = 1,
                           .quota = {.amount = 1000}});
  rival->add<MapRing>(1), rival->add<MapCalendar>(2);
  Result result{.workload = "reservation"};
  std::uint64_t id = 0;
  measure(
      result, settings,
      [&] {
        const Subject subject{.key = names.hash(random.below(subjects))};
        const Hash128 request{++id * 0x9E3779B97F4A7C15ull, id};
        const std::array<std::int64_t, 3> used{400, 400, 0};
        return ours->admit({&subject, 1}, now += 1000, request) &&
               ours->limiter.settle(request, used, now).outcome == Outcome::kDone;
      },
      [&] {
        const Hash128 key = names.hash(random.below(subjects));
        const bool all = rival->admit(key, now += 1000);
        for (auto& limiter : rival->limiters) limiter->give_back(key, 1);
        return all;
      });
  results.push_back(result);
}

void run_hot(const Settings& settings, std::vector<Result>& results, bool four) {
  auto state = std::make_unique<BucketsAndCalendars>();
  if (!four) {
    state->ours.demands.resize(1);
    state->rival.limiters.resize(1);
  }
  Result result{.workload = four ? "hot_four" : "hot_subject"};
  measure(result, settings, [&] { return state->admit_one(1); }, [&] { return state->rival_one(1); });
  results.push_back(result);
}

void print(const Result& result) {
  std::printf(
      "{\"workload\":\"%s\",\"ns\":%.1f,\"rival_ns\":%.1f,\"ratio\":%.2f,\"bytes_per_subject\":%.1f,"
      "\"rival_bytes_per_subject\":%.1f}\n",
      result.workload.c_str(), result.ns, result.rival_ns, result.rival_ns / result.ns, result.bytes_per_subject,
      result.rival_bytes_per_subject);
  std::fflush(stdout);
  std::fprintf(stderr, "%-16s %8.1f ns   rival %8.1f ns   %5.2f x   %7.1f bytes/subject   rival %7.1f\n",
               result.workload.c_str(), result.ns, result.rival_ns, result.rival_ns / result.ns,
               result.bytes_per_subject, result.rival_bytes_per_subject);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--small") {
      settings.small = true;
    } else if (argument == "--rounds" && i + 1 < argc) {
      settings.rounds = std::max(1, std::atoi(argv[++i]));
    } else if (argument == "--operations" && i + 1 < argc) {
      settings.operations = static_cast<std::size_t>(std::max(1, std::atoi(argv[++i])));
    } else {
      wanted.push_back(argument);
    }
  }
  const auto runs = [&](const char* name) { return wanted.empty() || std::ranges::find(wanted, name) != wanted.end(); };
  std::vector<Result> results;
  if (runs("hot_subject")) run_hot(settings, results, false);
  if (runs("hot_four")) run_hot(settings, results, true);
  if (runs("reservation")) run_reservation(settings, results);
  if (runs("sliding")) run_sliding(settings, results);
  if (runs("bucket_calendar") || runs("three_subjects")) run_large(settings, results);
  for (const Result& result : results) print(result);
  return 0;
}
