// Benchmarks of the record store: what booking costs, what taking on an older file costs, how long questions take.
//
//   records_bench [write|ask|upgrade|all] [USAGE_ROWS [AUDIT_ROWS [FOLDER]]]     JSON lines on stdout
//
// Workload: 5M rows of the ledger over 30 days (1,000 keys of 50 tenants, unevenly busy, each with 2 of 20 models, a
// third of the rows in runs of agents) and 1M of the audit, booked in batches of 2,000 (WEIR_BENCH_BATCH), each synced.
//   write       rows per second of processor time, in all and of the last tenth
//   ask         then every question of the admin API: wall time, the median and the slowest of 5, and the median of the
//               thread's processor time; last 100,000 consumers, each active in two of the last 24 hours, by use
//   upgrade     then what taking on the same file from version 3 of the schema costs
// FOLDER is kept, and used again when it holds a store; without it a folder in /tmp is made and deleted.
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "base/hash.h"
#include "records/queries.h"
#include "records/store.h"
#include "records/test_old_schema.h"

namespace {

using namespace weir;

constexpr std::int64_t kDays = 30;
constexpr TimeNs kStart = 1'760'000'400 * kSecond;  // a whole hour
constexpr DurationNs kUsageStep = kDays * kDay / 5'000'000, kAuditStep = kDays * kDay / 1'000'000;
const std::size_t kBatch =
    std::getenv("WEIR_BENCH_BATCH") ? static_cast<std::size_t>(std::atoll(std::getenv("WEIR_BENCH_BATCH"))) : 2000;

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Unevenly busy: the square of a uniform number.
std::uint64_t pick(std::uint64_t& random, std::uint64_t many) {
  random = random * 6364136223846793005ull + 1442695040888963407ull;
  const double uniform = static_cast<double>(random >> 11) / 9007199254740992.0;
  return static_cast<std::uint64_t>(uniform * uniform * static_cast<double>(many));
}

UsageRow usage_row(std::uint64_t& random, std::int64_t number) {
  UsageRow row;
  row.time = kStart + kUsageStep * number;
  const std::uint64_t key = pick(random, 1000);
  row.request_id = "req_" + std::to_string(hash64("request", static_cast<std::uint64_t>(number)));
  row.key = "key-" + std::to_string(key);
  row.tenant = "tenant-" + std::to_string(key % 50);
  row.user = "user-" + std::to_string(key) + "@example.com";
  row.tier = key % 3 == 0 ? "pro" : "default";
  row.kind = key % 4 == 0 ? "agent" : "human";
  row.model = "model-" + std::to_string(key % 19 + pick(random, 2));
  row.provider = "provider-" + std::to_string(key % 3);
  row.route = "/v1/chat/completions";
  row.conversation = "conv_" + std::to_string(number / 7);
  if (number % 3 == 0) {
    row.run = "run_" + std::to_string(number / 50);
    row.agent = "agent-" + std::to_string(key % 20);
    row.tool_calls = 2;
    row.tools = "search*2";
  }
  row.status = 200;
  row.usage = {.input_uncached = 1000, .cache_read = 200, .output_visible = 300, .reasoning = 50};
  row.usd_micros = static_cast<std::int64_t>(pick(random, 20'000));
  row.reserved_tokens = 2000;
  row.attempts = 1;
  return row;
}

AuditRow audit_row(std::uint64_t& random, std::int64_t number) {
  AuditRow row;
  row.time = kStart + kAuditStep * number;
  row.key = "key-" + std::to_string(pick(random, 1000));
  row.request_id = "req_" + std::to_string(number);
  row.event = number % 1000 == 0 ? AuditEvent::kBroken : number % 50 == 0 ? AuditEvent::kWarned : AuditEvent::kRefused;
  row.layer = row.event == AuditEvent::kBroken ? "breaker" : "rate";
  row.limit = row.event == AuditEvent::kBroken ? "repeats" : "limit-" + std::to_string(pick(random, 12));
  row.per_json = R"({"key":")" + row.key + "\"}";
  row.used = "48210";
  row.reserved = "1100";
  row.requested = "2600";
  row.allowed = "50000";
  row.retry_after_s = 31;
  if (number % 5 == 0) row.run = "run_" + std::to_string(number / 10);
  return row;
}

void must(const Result<void>& done) {
  if (done) return;
  std::fprintf(stderr, "%s\n", done.error().message.c_str());
  std::exit(1);
}

template <typename Row, typename Make, typename Book>
void write(const char* what, std::int64_t rows, Make make, Book book) {
  std::uint64_t random = 1;
  std::vector<Row> batch;
  double spent = 0, wall = 0, tenth = 0;
  const auto report = [&](const char* part, double cpu, std::int64_t count) {
    std::printf("{\"bench\":\"records\",\"what\":\"%s\",\"part\":\"%s\",\"rows_per_cpu_s\":%.0f}\n", what, part,
                static_cast<double>(count) / cpu);
    std::fflush(stdout);
  };
  for (std::int64_t done = 0; done < rows;) {
    batch.clear();
    for (; batch.size() < kBatch && done < rows; ++done) batch.push_back(make(random, done));
    const double before = seconds_of(CLOCK_THREAD_CPUTIME_ID), began = seconds_of(CLOCK_MONOTONIC);
    must(book(batch));
    spent += seconds_of(CLOCK_THREAD_CPUTIME_ID) - before;
    wall += seconds_of(CLOCK_MONOTONIC) - began;
    if (done < rows / 10 * 9) tenth = spent;
  }
  report("last tenth", spent - tenth, rows / 10);
  std::printf("{\"bench\":\"records\",\"what\":\"%s\",\"rows\":%lld,\"cpu_s\":%.1f,\"wall_s\":%.1f}\n", what,
              static_cast<long long>(rows), spent, wall);
}

void fill(Store& store, std::int64_t usage, std::int64_t audit) {
  write<UsageRow>("usage", usage, usage_row, [&](const auto& rows) { return store.book(rows, {}, {}); });
  write<AuditRow>("audit", audit, audit_row, [&](const auto& rows) { return store.book({}, rows, {}); });
}

void execute(const std::string& file, const char* sql) {
  sqlite3* db = nullptr;
  if (sqlite3_open(file.c_str(), &db) != SQLITE_OK || sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    std::fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    std::exit(1);
  }
  sqlite3_close(db);
}

template <typename Question>
void time_of(const char* name, Question question) {
  double times[5] = {}, spent[5] = {};
  std::size_t rows = 0;
  for (int turn = 0; turn < 5; ++turn) {
    double& each = times[turn];
    const double began = seconds_of(CLOCK_MONOTONIC), before = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    const auto answer = question();
    each = seconds_of(CLOCK_MONOTONIC) - began;
    spent[turn] = seconds_of(CLOCK_THREAD_CPUTIME_ID) - before;
    if (!answer) {
      std::printf("{\"bench\":\"records\",\"question\":\"%s\",\"error\":\"%s\",\"s\":%.2f}\n", name,
                  answer.error().message.c_str(), each);
      return;
    }
    if constexpr (requires { answer->rows.size(); }) rows = answer->rows.size();
    if constexpr (requires { answer->sums.size(); }) rows = answer->sums.size();
    if constexpr (requires { answer->size(); }) rows = answer->size();
  }
  std::sort(std::begin(times), std::end(times));
  std::sort(std::begin(spent), std::end(spent));
  std::printf(
      "{\"bench\":\"records\",\"question\":\"%s\",\"rows\":%zu,\"median_ms\":%.1f,\"slowest_ms\":%.1f,\"cpu_ms\":%.1f}"
      "\n",
      name, rows, times[2] * 1e3, times[4] * 1e3, spent[2] * 1e3);
  std::fflush(stdout);
}

void ask_usage(RecordQueries& ask, TimeNs now) {
  const UsageFilter day{.since = now - kDay + kMinute, .until = now}, month{.since = kStart + kMinute, .until = now};
  const auto with = [](UsageFilter filter, std::string UsageFilter::* name, const char* value) {
    filter.*name = value;
    return filter;
  };
  const auto page = [&](const char* name, const UsageFilter& filter) {
    time_of(name, [&] { return ask.usage(filter, {.size = 100, .cursor = {}}); });
  };
  page("newest 100 rows", month);
  page("newest 100 rows of a busy key", with(month, &UsageFilter::key, "key-0"));
  page("newest 100 rows of a quiet key, 30 days", with(month, &UsageFilter::key, "key-999"));
  page("newest 100 rows of an unknown key, 30 days", with(month, &UsageFilter::key, "nobody"));
  page("newest 100 rows of a tenant", with(month, &UsageFilter::tenant, "tenant-49"));
  page("newest 100 rows of a user, 30 days", with(month, &UsageFilter::user, "user-998@example.com"));
  page("newest 100 rows of an unknown tenant, 30 days", with(month, &UsageFilter::tenant, "nobody"));
  page("rows of a run, a day", with(day, &UsageFilter::run, "run_99990"));
  page("rows of a run, 30 days", with(month, &UsageFilter::run, "run_50"));
  const auto deep = ask.usage(month, {.size = 1000, .cursor = {}});
  time_of("a later page of 1000", [&] { return ask.usage(month, {.size = 1000, .cursor = deep->next}); });
  const auto sums = [&](const char* name, const UsageFilter& filter, SumBy by) {
    time_of(name, [&] { return ask.usage_sums(filter, by, 50); });
  };
  sums("sums by key, a day", day, SumBy::kKey);
  sums("sums by model, a day", day, SumBy::kModel);
  sums("sums by agent, a day (rows)", day, SumBy::kAgent);
  sums("sums by day, 30 days", month, SumBy::kUtcDay);
  sums("sums by tenant, 30 days", month, SumBy::kTenant);
  sums("sums by key, 30 days", month, SumBy::kKey);
  sums("sums by day of one key, 30 days", with(month, &UsageFilter::key, "key-0"), SumBy::kUtcDay);
  const auto series = [&](const char* name, const UsageFilter& filter, SumBy by, DurationNs step) {
    time_of(name, [&]() -> Result<std::vector<TimeNs>> {
      auto answer = ask.usage_series(filter, by, step, 8);
      if (!answer) return std::unexpected(answer.error());
      return answer->times;
    });
  };
  series("series by hour and model, a day", day, SumBy::kModel, kHour);
  series("series by day, 30 days", month, SumBy::kAll, kDay);
  series("series by day and tenant, 30 days", month, SumBy::kTenant, kDay);
  series("series by hour of one key, 7 days", with({.since = now - 7 * kDay, .until = now}, &UsageFilter::key, "key-0"),
         SumBy::kAll, kHour);
  time_of("dollars by hour, 28 days (forecast)", [&] { return ask.spend_by_hour(now - 28 * kDay, now, {}); });
}

void ask_audit(RecordQueries& ask, TimeNs now) {
  const auto page = [&](const char* name, const AuditFilter& filter) {
    time_of(name, [&] { return ask.audit(filter, {.size = 100, .cursor = {}}); });
  };
  const AuditFilter month{.since = kStart, .until = now, .event = {}};
  AuditFilter broken = month, limit = month, key = month, run = month;
  broken.event = AuditEvent::kBroken;
  limit.limit = "limit-11";
  key.key = "key-999";
  run.run = "run_7";
  page("newest 100 audit rows", month);
  page("newest 100 breaks, 30 days", broken);
  page("newest 100 refusals by a limit, 30 days", limit);
  page("newest 100 of a quiet key, 30 days", key);
  page("audit rows of a run, 30 days", run);
  time_of("audit sums by limit, a day", [&] { return ask.audit_sums(now - kDay, now, AuditBy::kLimit); });
  time_of("audit sums by key, 30 days", [&] { return ask.audit_sums(kStart, now, AuditBy::kKey); });
}

// A store of its own: its hours would be in the way of the other questions.
void ask_consumers(const std::string& folder) {
  constexpr std::int64_t kHourNow = (kStart + kDays * kDay) / kHour;
  Store store = Store::open(folder, {.create = true}).value();
  execute(
      folder + "/weir.db",
      ("WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i < 99999) INSERT INTO consumers (name, "
       "key_hash, tenant, user, tier, kind, status, metadata, created_at) SELECT 'key-' || i, randomblob(32), "
       "'tenant-' || (i % 50), 'user-' || i, '', 0, 0, '{}', i FROM n; "
       "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i < 199999) INSERT INTO usage_hours "
       "SELECT " +
       std::to_string(kHourNow) +
       " - i * 7 % 24, 'key-' || (i / 2), 'tenant-' || (i / 2 % 50), 'user-' || (i / 2), '', 'agent', 'm', 'p', 1 + "
       "i % 97, i % 1009, 7, 0, 0, 0, i % 5003, 0, 0 FROM n")
          .c_str());
  TimeNs since = kHourNow * kHour - kDay;
  const auto page = [&](const char* name, ConsumerQuery query, DurationNs later) {
    time_of(name, [&] {
      query.since = since += later;
      return store.consumer_page(query);
    });
  };
  using Sort = ConsumerQuery::Sort;
  page("100 of 100,000 consumers by name", {.sort = Sort::kName}, 0);
  page("100 of 100,000 consumers by requests, first look in 5 s", {.sort = Sort::kRequests}, 10 * kSecond);
  page("100 of 100,000 consumers by dollars, a further look", {.sort = Sort::kUsd}, 0);
  page("100 of 100,000 consumers by tokens, searched", {.search = "user-77", .sort = Sort::kTokens}, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "all";
  const std::int64_t usage = argc > 2 ? std::atoll(argv[2]) : 5'000'000;
  const std::int64_t audit = argc > 3 ? std::atoll(argv[3]) : 1'000'000;
  const std::string folder = argc > 4 ? argv[4] : "/tmp/weir-records-bench", file = folder + "/weir.db";
  const bool there = std::filesystem::exists(file);
  {
    Store store = Store::open(folder, {.create = true}).value();
    // Other indexes or none, to compare.
    if (const char* sql = std::getenv("WEIR_BENCH_SQL"); sql != nullptr && !there) execute(file, sql);
    if (!there) fill(store, usage, audit);
    while (store.sum_days(kStart + kUsageStep * usage, 1).value_or(0) > 0) continue;
    RecordQueries ask(store);
    if (what == "ask" || what == "all") {
      ask_usage(ask, kStart + kUsageStep * usage);
      ask_audit(ask, kStart + kAuditStep * audit);
      ask_consumers(folder + "/consumers");
      std::filesystem::remove_all(folder + "/consumers");
    }
  }
  if (what == "upgrade" || what == "all") {
    execute(file, kDropVersion4And5);
    execute(file, "PRAGMA user_version = 3");
    const double began = seconds_of(CLOCK_MONOTONIC);
    const bool opened = Store::open(folder).has_value();
    std::printf("{\"bench\":\"records\",\"what\":\"version 3 to 4\",\"ok\":%s,\"s\":%.1f}\n", opened ? "true" : "false",
                seconds_of(CLOCK_MONOTONIC) - began);
  }
  if (argc <= 4) std::filesystem::remove_all(folder);
  return 0;
}
