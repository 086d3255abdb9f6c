#include "records/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "journal/test_support.h"
#include "records/queries.h"
#include "records/secrets.h"
#include "records/sqlite.h"
#include "records/test_old_schema.h"

namespace weir {
namespace {

Consumer consumer_named(const std::string& name) {
  Consumer consumer;
  consumer.name = name;
  consumer.tenant = "acme";
  consumer.metadata_json = R"({"plan":{"seats":5}})";
  consumer.created_at = 1234;
  return consumer;
}

KeyHash hash_of(int n) {
  KeyHash hash{};
  std::memcpy(hash.data(), &n, sizeof n);
  hash[31] = 1;
  return hash;
}

Store open_new(const std::string& dir) {
  return Store::open(dir, {.create = true}).value();
}

int mode_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return static_cast<int>(info.st_mode & 0777);
}

TEST(Store, MissingOneSaysWhatToDo) {
  TempDir dir;
  const auto store = Store::open(dir / "weir-data");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message,
            "no store at " + dir / "weir-data" +
                "; -c weir.yaml or --data DIR says where it is, `weir serve` or `weir keys create` makes one");
  EXPECT_FALSE(std::filesystem::exists(dir / "weir-data"));
}

TEST(Store, FilesArePrivateWhateverTheUmask) {
  TempDir dir;
  const mode_t old = ::umask(0);
  const Store store = open_new(dir / "a/data");
  ::umask(old);
  EXPECT_EQ(mode_of(dir / "a/data"), 0700);
  EXPECT_EQ(mode_of(dir / "a/data/weir.db"), 0600);
}

TEST(Store, ConsumersComeBackAsTheyWere) {
  TempDir dir;
  Store store = open_new(dir.path());
  Consumer ann = consumer_named("ann");
  ann.kind = ConsumerKind::kService;
  ASSERT_TRUE(store.create_consumer(ann, hash_of(1)));
  EXPECT_GT(ann.id, 0);
  const auto found = store.find_consumer("ann").value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tenant, "acme");
  EXPECT_EQ(found->kind, ConsumerKind::kService);
  EXPECT_EQ(found->metadata.at("plan.seats"), "5");
  EXPECT_EQ(found->created_at, 1234);
  EXPECT_FALSE(store.find_consumer("bob").value());

  Consumer twin = consumer_named("ann");
  const auto taken = store.create_consumer(twin, hash_of(2));
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().message.find("taken"), std::string::npos);

  ann.tier = "pro";
  EXPECT_TRUE(store.update_consumer(ann).value());
  EXPECT_FALSE(store.update_consumer(consumer_named("bob")).value());
  const Consumer known = store.find_consumer(ann.name).value().value();
  ann.user = "somebody else's change";
  EXPECT_TRUE(store.update_consumer(ann, {}, &known).value());
  Consumer late = known;
  late.tier = "pro";
  EXPECT_FALSE(store.update_consumer(late, {}, &known).value()) << "it is not as it was read any more";
  EXPECT_EQ(store.find_consumer(ann.name).value()->user, ann.user);
  ann.user = known.user;
  EXPECT_TRUE(store.update_consumer(ann).value());
  EXPECT_TRUE(store.revoke_consumer("ann").value());
  EXPECT_FALSE(store.revoke_consumer("bob").value());
  const auto directory = store.load_directory().value();
  EXPECT_EQ(directory->size(), 1u);
  const auto by_hash = directory->find(hash_of(1));
  ASSERT_NE(by_hash, nullptr);
  EXPECT_EQ(by_hash->tier, "pro");
  EXPECT_EQ(by_hash->status, ConsumerStatus::kRevoked);
}

TEST(Store, TheVersionTellsOfChangesByOthersAndOnlyOfThose) {
  TempDir dir;
  Store server = open_new(dir.path());
  Store command = Store::open(dir.path()).value();
  auto version = server.data_version().value();
  Consumer ann = consumer_named("ann");
  const auto changed = [&] {
    const auto now = server.data_version().value();
    return std::exchange(version, now) != now;
  };
  EXPECT_FALSE(changed());
  ASSERT_TRUE(command.create_consumer(ann, hash_of(1)));
  EXPECT_TRUE(changed());
  const UsageRow row = test_row(1);
  ASSERT_TRUE(command.book({&row, 1}, {}, {}));
  EXPECT_FALSE(changed()) << "the ledger is not a reason to load all keys again";
  ann.user = "x";
  ASSERT_TRUE(command.update_consumer(ann));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(command.revoke_consumer("ann"));
  EXPECT_TRUE(changed());
}

TEST(Store, Settings) {
  TempDir dir;
  Store store = open_new(dir.path());
  EXPECT_FALSE(store.setting(kSettingDemoKey).value());
  EXPECT_EQ(store.setting_or_set(kSettingAdminToken, "first").value(), "first");
  EXPECT_EQ(store.setting_or_set(kSettingAdminToken, "second").value(), "first");
  ASSERT_TRUE(store.set_setting(kSettingAdminToken, "third"));
  EXPECT_EQ(store.setting(kSettingAdminToken).value(), "third");
}

TEST(Store, RowsComeBackAsTheyWereInOrderOfTime) {
  TempDir dir;
  Store store = open_new(dir.path());
  std::vector<UsageRow> rows = {test_row(3), test_row(1), test_row(2)};
  rows[0].usage = {.input_uncached = 1,
                   .cache_read = 2,
                   .cache_write = 3,
                   .cache_write_1h = 8,
                   .output_visible = 4,
                   .reasoning = 5,
                   .audio_in = 6,
                   .audio_out = 7,
                   .tool_units = 9};
  rows[0].degraded = "spend; model=gpt-4o-mini";
  rows[0].settled = Settled::kExpired;
  rows[0].conversation = "c";
  rows[0].tool_calls = 9;
  rows[0].tools = "search*8,send_email";
  AuditRow audit;
  audit.time = 77;
  audit.key = "ann";
  audit.per_json = R"({"tenant":"acme"})";
  audit.used = "4.20";
  audit.count = 12;
  audit.evidence = "zero\0byte";
  audit.user = "u";
  audit.tool = "send_email";
  audit.run = "r";
  audit.agent = "a";
  AuditRow waiting = audit;
  waiting.time = 78;
  waiting.retry_after_s = 31.25;
  waiting.event = AuditEvent::kAdmin;
  ASSERT_TRUE(store.book(rows, std::vector{audit, waiting}, {}));
  std::vector<UsageRow> usage;
  ASSERT_TRUE(store.usage(0, [&](const UsageRow& row) {
    usage.push_back(row);
    return true;
  }));
  EXPECT_EQ(usage, (std::vector{rows[1], rows[2], rows[0]}));
  usage.clear();
  ASSERT_TRUE(store.usage(rows[2].time, [&](const UsageRow& row) {
    usage.push_back(row);
    return false;
  }));
  EXPECT_EQ(usage, std::vector{rows[2]});
  std::vector<AuditRow> audits;
  ASSERT_TRUE(store.audit(0, [&](const AuditRow& row) {
    audits.push_back(row);
    return true;
  }));
  EXPECT_EQ(audits, (std::vector{audit, waiting}));
}

TEST(Store, SumsByGroupAndDay) {
  TempDir dir;
  Store store = open_new(dir.path());
  std::vector<UsageRow> rows;
  for (std::uint64_t i = 0; i < 10; ++i) {
    rows.push_back(test_row(7));
    rows.back().key = i < 4 ? "ann" : "bob";
    rows.back().time += i < 5 ? 0 : kDay;
    rows.back().usage.cache_read = 10;
    rows.back().usage.cache_write = 3;
    rows.back().usage.cache_write_1h = 2;
  }
  ASSERT_TRUE(store.book(rows, {}, {}));
  const auto by_key = store.usage_sums(0, UsageBy::kKey).value();
  ASSERT_EQ(by_key.size(), 2u);
  EXPECT_EQ(by_key[0].group, "ann");
  EXPECT_EQ(by_key[0].requests, 4);
  EXPECT_EQ(by_key[0].input_tokens, 460);
  EXPECT_EQ(by_key[0].cache_write_tokens, 20) << "both lifetimes";
  EXPECT_EQ(by_key[0].cached_tokens, 40);
  EXPECT_EQ(by_key[1].usd_micros, 6 * 1234);
  const auto by_day = store.usage_sums(0, UsageBy::kUtcDay).value();
  ASSERT_EQ(by_day.size(), 2u);
  EXPECT_EQ(by_day[0].group, "2023-11-14");
  EXPECT_EQ(store.usage_sums(rows[9].time, UsageBy::kModel).value()[0].requests, 5);
  for (const char* name : {"key", "tenant", "user", "model", "agent", "run", "day"}) {
    const auto by = usage_by_from(name);
    ASSERT_TRUE(by) << name;
    EXPECT_STREQ(to_string(*by), name);
    EXPECT_TRUE(store.usage_sums(0, *by));
  }
  EXPECT_FALSE(usage_by_from("colour"));
}

TEST(Store, ALaterRowOfADecisionHoldReplacesTheEarlierAndAnswersAreKept) {
  TempDir dir;
  Store store = open_new(dir.path());
  UsageRow expired = test_row(1), other = test_row(2), settled = test_row(1);
  for (UsageRow* row : {&expired, &other, &settled}) row->route = kDecisionRoute;
  expired.settled = Settled::kExpired;
  settled.usage.output_visible = 1;
  const ClosedDecision first{.id = {1, 1}, .at = 50, .how = ClosedHow::kExpired, .admitted = "a", .answer = "b"};
  const ClosedDecision again{.id = {1, 1}, .at = 60, .how = ClosedHow::kSettled, .admitted = "a", .answer = "c"};
  const ClosedDecision old{.id = {1, 2}, .at = 10, .how = ClosedHow::kCancelled, .admitted = "d", .answer = "e"};
  ASSERT_TRUE(store.book(std::vector{expired, other}, {}, {}, std::vector{first, old}));
  ASSERT_TRUE(store.book(std::vector{settled}, {}, {}, std::vector{again}));
  std::vector<UsageRow> rows;
  ASSERT_TRUE(store.usage(0, [&](const UsageRow& row) {
    rows.push_back(row);
    return true;
  }));
  EXPECT_EQ(rows, (std::vector{settled, other}));
  const auto closed = [&](TimeNs since) {
    std::vector<ClosedDecision> out;
    EXPECT_TRUE(store.closed_decisions(since, [&](const ClosedDecision& each) {
      out.push_back(each);
      return true;
    }));
    return out;
  };
  EXPECT_EQ(closed(0), (std::vector{old, again}));
  EXPECT_EQ(closed(11), std::vector{again});
  EXPECT_EQ(store.purge_closed_decisions(60, 100).value(), 1u);
  EXPECT_EQ(closed(0), std::vector{again});
}

TEST(Store, PurgesByAgeInSteps) {
  TempDir dir;
  Store store = open_new(dir.path());
  std::vector<UsageRow> rows;
  for (std::uint64_t i = 0; i < 10; ++i) rows.push_back(test_row(i));
  ASSERT_TRUE(store.book(rows, {}, {}));
  EXPECT_EQ(store.purge_usage(rows[5].time, 3).value(), 3u);
  EXPECT_EQ(store.purge_usage(rows[5].time, 3).value(), 2u);
  EXPECT_EQ(store.purge_usage(rows[5].time, 3).value(), 0u);
  EXPECT_EQ(store.usage_sums(0, UsageBy::kKey).value()[0].requests, 5);
}

TEST(Store, RunsAreForgottenWithTheLastRowsOfTheirHour) {
  TempDir dir;
  Store store = open_new(dir.path());
  std::vector<UsageRow> rows(4, test_row(0));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].time = static_cast<TimeNs>(i / 2) * kHour + static_cast<TimeNs>(i);
    rows[i].run = "run";
  }
  ASSERT_TRUE(store.book(rows, {}, {}));
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 100));
  const auto hours = [&] {
    Statement s = db.prepare("SELECT count(*) FROM run_hours");
    EXPECT_TRUE(s.next());
    return s.integer(0);
  };
  EXPECT_EQ(store.purge_usage(kHour, 1).value(), 1u);
  EXPECT_EQ(hours(), 2) << "a row of the first hour is left";
  EXPECT_EQ(store.purge_usage(kHour, 1).value(), 1u);
  EXPECT_EQ(hours(), 1);
  EXPECT_EQ(store.purge_usage(9 * kHour, 5).value(), 2u);
  EXPECT_EQ(hours(), 0);
}

TEST(Store, ALockedDatabaseIsAnErrorAndNothingIsHalfDone) {
  TempDir dir;
  open_new(dir.path());
  Store store = Store::open(dir.path(), {.busy_timeout_ms = 20}).value();
  Database other;
  ASSERT_TRUE(other.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 20));
  ASSERT_TRUE(other.execute("BEGIN IMMEDIATE"));
  const std::vector<UsageRow> rows = {test_row(1)};
  const auto booked = store.book(rows, {}, {});
  ASSERT_FALSE(booked);
  EXPECT_NE(booked.error().message.find("locked"), std::string::npos);
  EXPECT_TRUE(store.list_consumers()) << "reading goes on";
  ASSERT_TRUE(other.execute("ROLLBACK"));
  EXPECT_TRUE(store.book(rows, {}, {}));
  EXPECT_EQ(store.usage_sums(0, UsageBy::kKey).value()[0].requests, 1);
}

TEST(Store, ReadOnlyRefusesToWriteAndNewerFilesAreLeftAlone) {
  TempDir dir;
  open_new(dir.path());
  Store reader = Store::open(dir.path(), {.read_only = true}).value();
  Consumer ann = consumer_named("ann");
  EXPECT_FALSE(reader.create_consumer(ann, hash_of(1)));
  EXPECT_TRUE(reader.list_consumers()->empty());
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 100));
  ASSERT_TRUE(db.execute("PRAGMA user_version = 99"));
  EXPECT_FALSE(Store::open(dir.path(), {.create = true}));
  EXPECT_FALSE(Store::open(dir.path(), {.read_only = true}));
}

// What the first version's file lacks.
void make_first_version(const std::string& file) {
  Database db;
  ASSERT_TRUE(db.open(file, SQLITE_OPEN_READWRITE, 100));
  ASSERT_TRUE(db.execute(kDropVersion4And5));
  ASSERT_TRUE(db.execute("DROP TRIGGER audit_chained; DROP TABLE audit_chain; DROP TABLE kill_switches"));
  ASSERT_TRUE(db.execute("ALTER TABLE usage DROP COLUMN tools"));
  for (const char* column : {"user", "tool", "run", "agent", "hash"}) {
    ASSERT_TRUE(db.execute((std::string("ALTER TABLE audit DROP COLUMN ") + column).c_str()));
  }
  ASSERT_TRUE(db.execute("ALTER TABLE usage DROP COLUMN cache_write_1h"));
  ASSERT_TRUE(db.execute("ALTER TABLE usage DROP COLUMN tool_units"));
  ASSERT_TRUE(db.execute("DROP TABLE closed_decisions"));
  ASSERT_TRUE(db.execute("PRAGMA user_version = 1"));
  ASSERT_TRUE(db.execute(
      "INSERT INTO usage (time, request_id, key, tenant, user, tier, kind, conversation, run, agent, model, "
      "provider, route, status, input_uncached, cache_read, cache_write, output_visible, reasoning, audio_in, "
      "audio_out, usd_micros, reserved_tokens, tool_calls, degraded, attempts, settled) VALUES (5, 'req_old', "
      "'ann', '', '', '', '', '', 'old-run', '', '', '', '', 200, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, '', 1, 0)"));
}

TEST(Store, AFileOfTheFirstVersionIsTakenOnWithItsRowsAlsoByAReader) {
  for (const bool read_only : {false, true}) {
    TempDir dir;
    open_new(dir.path());
    make_first_version(dir / "weir.db");
    Result<Store> store = Store::open(dir.path(), {.read_only = read_only});
    ASSERT_TRUE(store) << store.error().message;
    std::vector<UsageRow> rows;
    ASSERT_TRUE(store->usage(0, [&](const UsageRow& row) {
      rows.push_back(row);
      return true;
    }));
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].request_id, "req_old");
    EXPECT_EQ(rows[0].usage.input(), 6);
    EXPECT_EQ(rows[0].usage.cache_write_1h, 0);
    EXPECT_EQ(RecordQueries(*store).usage({.run = "old-run"}, {})->rows.size(), 1u);
    EXPECT_EQ(rows[0].usd_micros, 8);
    EXPECT_EQ(store->book(std::vector{test_row(1)}, {}, {}).has_value(), !read_only);
  }
}

TEST(Store, AFileOfTheFirstVersionThatIsLockedIsAnErrorThatSaysWhatToDo) {
  TempDir dir;
  open_new(dir.path());
  make_first_version(dir / "weir.db");
  Database other;
  ASSERT_TRUE(other.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 100));
  ASSERT_TRUE(other.execute("BEGIN EXCLUSIVE"));
  const Result<Store> reader = Store::open(dir.path(), {.read_only = true, .busy_timeout_ms = 0});
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("older weir"), std::string::npos) << reader.error().message;
  EXPECT_NE(reader.error().message.find("try again"), std::string::npos);
}

TEST(Store, OpeningAndReadingDoNotWaitForAWriter) {
  TempDir dir;
  ASSERT_TRUE(open_new(dir.path()).set_setting("known", "value"));
  Database other;
  ASSERT_TRUE(other.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 100));
  ASSERT_TRUE(other.execute("BEGIN EXCLUSIVE"));
  for (const bool read_only : {false, true}) {
    Result<Store> store = Store::open(dir.path(), {.read_only = read_only, .busy_timeout_ms = 0});
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE(store->list_consumers());
    EXPECT_EQ(store->setting_or_set("known", "other").value_or(""), "value");
    EXPECT_FALSE(store->set_setting("a", "b"));
  }
}

TEST(Store, GarbageInsteadOfADatabaseIsAnError) {
  TempDir dir;
  std::ofstream(dir / "weir.db") << std::string(5000, 'x');
  EXPECT_FALSE(Store::open(dir.path(), {.create = true}));
  EXPECT_FALSE(Store::open(dir.path(), {.read_only = true}));
}

TEST(Store, SeveralProcessesCreateAndUseItAtOnce) {
  TempDir dir;
  constexpr int kProcesses = 4, kEach = 25;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = Store::open(dir / "data", {.create = true});
      bool ok = store.has_value();
      for (int i = 0; ok && i < kEach; ++i) {
        Consumer consumer = consumer_named("c" + std::to_string(p * kEach + i));
        const std::vector<UsageRow> rows = {test_row(1)};
        ok = store->create_consumer(consumer, hash_of(p * kEach + i)).has_value() && store->book(rows, {}, {});
      }
      ::_exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  Store store = Store::open(dir / "data").value();
  EXPECT_EQ(store.list_consumers()->size(), static_cast<std::size_t>(kProcesses * kEach));
  EXPECT_EQ(store.usage_sums(0, UsageBy::kKey).value()[0].requests, kProcesses * kEach);
}

bool counting_entropy(std::span<unsigned char> out) {
  static unsigned char next = 0;
  for (unsigned char& byte : out) byte = ++next;
  return true;
}

TEST(Secrets, AreMadeOnceAndPrivate) {
  TempDir dir;
  EXPECT_FALSE(load_secrets(dir / "data"));
  const auto first = load_or_create_secrets(dir / "data", counting_entropy);
  ASSERT_TRUE(first);
  const auto second = load_or_create_secrets(dir / "data", counting_entropy);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->subjects, second->subjects);
  EXPECT_EQ(first->key_hash, second->key_hash);
  EXPECT_EQ(first->key_hash.size(), 32u);
  EXPECT_EQ(mode_of(dir / "data/secret"), 0600);
  EXPECT_EQ(mode_of(dir / "data"), 0700);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "data")) files += entry.exists();
  EXPECT_EQ(files, 1u) << "no temporary file stays";
}

TEST(Secrets, WithoutEntropyOrWithADamagedFileThereAreNone) {
  TempDir dir;
  EXPECT_FALSE(load_or_create_secrets(dir.path(), [](std::span<unsigned char>) { return false; }));
  std::ofstream(dir / "secret") << "short";
  const auto damaged = load_or_create_secrets(dir.path(), counting_entropy);
  ASSERT_FALSE(damaged);
  EXPECT_NE(damaged.error().message.find("damaged"), std::string::npos);
}

}  // namespace
}  // namespace weir
