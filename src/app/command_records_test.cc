// keys, usage and audit as a user or a program meets them.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/command_audit.h"
#include "app/command_keys.h"
#include "app/command_keys_import.h"
#include "app/command_tokens.h"
#include "app/command_usage.h"
#include "app/entropy.h"
#include "journal/test_support.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'000'000 * kSecond;

struct Terminal {
  TempDir dir;
  std::ostringstream out, err;
  CommandContext context{
      .data_of_config = [this](const std::string& path) -> Result<std::string> {
        if (path.ends_with("good.yaml")) return data();
        return fail(path + " is not valid");
      },
      .now = [] { return kNow; },
      .entropy = system_entropy,
      .out = &out,
      .err = &err,
  };

  std::string data() const { return dir / "data"; }
  StoreChoice store() const { return {.config = {}, .data = data()}; }

  // Runs a command line as main() does; the exit code.
  int run(std::vector<std::string> words) {
    out.str("");
    err.str("");
    CLI::App app("weir");
    int exit_code = -1;
    add_keys_commands(app, exit_code, context);
    add_usage_command(app, exit_code, context);
    add_audit_command(app, exit_code, context);
    words.insert(words.end(), {"--data", data()});
    std::reverse(words.begin(), words.end());
    try {
      app.parse(words);
    } catch (const CLI::ParseError& error) {
      err << error.what();
      return kExitCouldNotRun;
    }
    return exit_code;
  }
  // A file beside the store with that text.
  std::string write(const std::string& text) const {
    const std::string path = dir / "team.jsonl";
    std::ofstream(path) << text;
    return path;
  }
  std::size_t lines(const std::ostringstream& stream) const {
    const std::string text = stream.str();
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
};

TEST(KeysCommand, CreateShowsTheKeyOnceAndStoresOnlyItsHash) {
  Terminal t;
  ASSERT_EQ(t.run({"keys", "create", "--name", "ann", "--tenant", "acme", "--tier", "pro", "--metadata",
                   R"({ "plan": {"seats": 5} })", "--json"}),
            kExitDone)
      << t.err.str();
  const std::string line = t.out.str();
  ASSERT_TRUE(line.starts_with(R"({"key":"weir_)")) << line;
  const std::string key = line.substr(8, 36);
  EXPECT_TRUE(is_well_formed_key(key));
  EXPECT_EQ(line.substr(8 + 36),
            "\",\"name\":\"ann\",\"tenant\":\"acme\",\"user\":\"\",\"tier\":\"pro\",\"kind\":\"agent\","
            "\"status\":\"active\",\"metadata\":{\"plan\":{\"seats\":5}},\"created_at\":\"" +
                format_rfc3339(kNow, 3) + "\"}\n");
  auto store = Store::open(t.data());
  const auto secrets = load_secrets(t.data());
  ASSERT_TRUE(store && secrets);
  const auto consumer = store->load_directory().value()->find(KeyHasher(secrets->key_hash).hash(key));
  ASSERT_NE(consumer, nullptr);
  EXPECT_EQ(consumer->name, "ann");
  for (const char* file : {"weir.db", "weir.db-wal"}) {
    EXPECT_EQ(file_bytes(t.data() + "/" + file).find(key.substr(5, 24)), std::string::npos) << file;
  }
}

TEST(KeysCommand, ImportTakesWhatCreateAndListPrint) {
  Terminal other, t;
  ASSERT_EQ(other.run({"keys", "create", "--name", "ann", "--tenant", "acme", "--json"}), kExitDone);
  const std::string created = other.out.str();
  const std::string file = t.write("\n" + created +
                                   R"({"name":"bob","metadata":{"seats":5},"kind":"human"})"
                                   "\r\n"
                                   R"({"name":"gone","status":"revoked","created_at":"2026-01-01T00:00:00.000Z"})"
                                   "\n");
  ASSERT_EQ(t.run({"keys", "import", file, "--json"}), kExitDone) << t.err.str();
  EXPECT_EQ(t.lines(t.out), 2u) << t.out.str();
  EXPECT_EQ(t.err.str(), "weir: left out 1 that are revoked\n");
  auto store = Store::open(t.data());
  const auto secrets = load_secrets(t.data());
  ASSERT_TRUE(store && secrets);
  const auto directory = store->load_directory().value();
  const auto ann = directory->find(KeyHasher(secrets->key_hash).hash(created.substr(8, 36)));
  ASSERT_NE(ann, nullptr) << "her key is the one she had";
  EXPECT_EQ(ann->tenant, "acme");
  const auto bob = directory->find_name("bob");
  ASSERT_NE(bob, nullptr);
  EXPECT_EQ(bob->kind, ConsumerKind::kHuman);
  EXPECT_EQ(bob->metadata_json, R"({"seats":5})");
  EXPECT_EQ(directory->find_name("gone"), nullptr);
}

TEST(KeysCommand, ImportStoresAllOrNothingAndSaysWhichLine) {
  Terminal t;
  ASSERT_EQ(t.run({"keys", "create", "--name", "ann", "--json"}), kExitDone);
  const std::string key = t.out.str().substr(8, 36);
  const std::pair<std::string, std::string> cases[] = {
      {R"({"name":"ann"})", ":2: the name ann is taken"},
      {R"({"name":"first"})", ":2: the name first is in line 1 too"},
      {R"({"name":"b b"})", ":2: --name must be"},
      {R"({"name":"bob","tiar":"pro"})", ":2: "},
      {R"({"name":"bob","kind":"robot"})", ":2: --kind robot is unknown"},
      {R"({"name":"bob","key":"sk-123"})", ":2: `key` is no key of Weir"},
      {R"({"name":"bob","status":"asleep"})", ":2: `status` is active or revoked"},
      {R"({"name":"bob","metadata":[1]})", ":2: --metadata"},
      {"oops", ":2: "},
      {R"({"name":"bob","key":")" + key + R"("})", "the key given for bob is another consumer's already"},
  };
  for (const auto& [line, words] : cases) {
    const std::string file = t.write(R"({"name":"first"})"
                                     "\n" +
                                     line + "\n");
    EXPECT_EQ(t.run({"keys", "import", file}), words.front() == ':' ? kExitNo : kExitCouldNotRun) << line;
    EXPECT_NE(t.err.str().find(words), std::string::npos) << line << ": " << t.err.str();
    EXPECT_NE(t.err.str().find("nothing was imported"), std::string::npos) << t.err.str();
    EXPECT_EQ(t.run({"keys", "list", "--json"}), kExitDone);
    EXPECT_EQ(t.lines(t.out), 1u) << line;
  }
  EXPECT_EQ(t.run({"keys", "import", t.write("\n")}), kExitNo);
  EXPECT_EQ(t.run({"keys", "import", t.data() + "-absent"}), kExitCouldNotRun);
}

TEST(KeysCommand, ListShowUpdateRevoke) {
  Terminal t;
  for (const char* name : {"bob", "ann"}) ASSERT_EQ(t.run({"keys", "create", "--name", name}), kExitDone);
  EXPECT_EQ(t.run({"keys", "list"}), kExitDone);
  EXPECT_EQ(t.lines(t.out), 3u);
  EXPECT_TRUE(t.out.str().starts_with("NAME")) << t.out.str();
  EXPECT_EQ(t.run({"keys", "list", "--json"}), kExitDone);
  EXPECT_EQ(t.lines(t.out), 2u);
  EXPECT_TRUE(t.out.str().starts_with(R"({"name":"ann",)"));
  EXPECT_EQ(t.out.str().find("weir_"), std::string::npos);

  EXPECT_EQ(t.run({"keys", "update", "ann", "--tier", "pro", "--kind", "service", "--json"}), kExitDone);
  EXPECT_NE(t.out.str().find(R"("tier":"pro","kind":"service")"), std::string::npos);
  EXPECT_EQ(t.run({"keys", "update", "ann", "--tenant", "x"}), kExitDone);
  EXPECT_EQ(t.run({"keys", "show", "ann", "--json"}), kExitDone);
  EXPECT_NE(t.out.str().find(R"("tenant":"x","user":"","tier":"pro","kind":"service")"), std::string::npos)
      << "what is not named stays: " << t.out.str();
  EXPECT_EQ(t.run({"keys", "show", "ann"}), kExitDone);
  EXPECT_NE(t.out.str().find("tenant    x\n"), std::string::npos);

  EXPECT_EQ(t.run({"keys", "revoke", "ann"}), kExitDone);
  EXPECT_EQ(t.run({"keys", "revoke", "ann", "--json"}), kExitDone);
  EXPECT_NE(t.out.str().find(R"("status":"revoked")"), std::string::npos);
  EXPECT_EQ(t.run({"keys", "create", "--name", "ann"}), kExitNo) << "names stay taken";
}

// The policy of the tests below has tiers free and pro, and gold put over its file.
StoreChoice with_policy(const Terminal& t) {
  const std::string path = t.dir / "good.yaml";
  std::ofstream(path) << "tiers: { free: {}, pro: {} }\n";
  return {.config = path, .data = {}};
}

TEST(KeysCommand, WithAPolicyATierThatItDoesNotHaveIsRefusedAndNothingIsMade) {
  Terminal t;
  KeysCreateOptions create;
  create.store = with_policy(t);
  create.name = "ann";
  create.tier = "por";
  EXPECT_EQ(run_keys_create(create, t.context), kExitCouldNotRun);
  EXPECT_EQ(t.err.str(), "weir: --tier: there is no tier `por`; did you mean `pro`? There are free, pro\n");
  EXPECT_FALSE(Store::open(t.data())) << "no store was made";
  create.tier = "pro";
  t.err.str("");
  EXPECT_EQ(run_keys_create(create, t.context), kExitDone) << t.err.str();
  EXPECT_EQ(t.err.str(), "");

  KeysUpdateOptions update;
  update.store = create.store;
  update.name = "ann";
  update.tier = "gold";
  EXPECT_EQ(run_keys_update(update, t.context), kExitCouldNotRun);
  EXPECT_NE(t.err.str().find("there is no tier `gold`; there are free, pro"), std::string::npos) << t.err.str();
  const OverrideChange gold{Override::Kind::kTier, "gold", "", "{}"};
  ASSERT_TRUE(Store::open(t.data()).value().change_overrides({&gold, 1}, {.at = 1, .by = "ops"}));
  EXPECT_EQ(run_keys_update(update, t.context), kExitDone) << "it was put over the file";
  // The policy loses it: the key stays as it is, also where other things of it change.
  const OverrideChange gone{Override::Kind::kTier, "gold", "{}", ""};
  ASSERT_TRUE(Store::open(t.data()).value().change_overrides({&gone, 1}, {.at = 2, .by = "ops"}));
  update.tenant = "acme";
  EXPECT_EQ(run_keys_update(update, t.context), kExitDone);
  EXPECT_EQ(Store::open(t.data()).value().find_consumer("ann").value()->tier, "gold");
}

TEST(KeysCommand, WithAPolicyLimitsAndToolsOfMetadataMustFitIt) {
  Terminal t;
  KeysCreateOptions create;
  create.store = with_policy(t);
  create.name = "bob";
  create.metadata = R"({"limits":{"reqests":"50/1m"}})";
  EXPECT_EQ(run_keys_create(create, t.context), kExitCouldNotRun);
  EXPECT_TRUE(t.err.str().starts_with("weir: --metadata: there is no limit `reqests`; did you mean `requests`?"))
      << t.err.str();
  create.metadata = "{}";
  ASSERT_EQ(run_keys_create(create, t.context), kExitDone);
  KeysUpdateOptions update;
  update.store = create.store;
  update.name = "bob";
  for (const char* wrong : {R"({"limits":{"requests":"lots"}})", R"({"tools":{"dney":["x"]}})"}) {
    update.metadata = wrong;
    EXPECT_EQ(run_keys_update(update, t.context), kExitCouldNotRun) << wrong;
  }
  update.metadata = R"({"limits":{"requests":"50/1m"}})";
  t.err.str("");
  EXPECT_EQ(run_keys_update(update, t.context), kExitDone) << t.err.str();
  EXPECT_EQ(t.err.str(), "");

  KeysImportOptions import;
  import.store = create.store;
  import.file = t.write("{\"name\":\"cy\"}\n{\"name\":\"dee\",\"metadata\":{\"limits\":{\"requests\":\"lots\"}}}\n");
  EXPECT_EQ(run_keys_import(import, t.context), kExitNo);
  EXPECT_NE(t.err.str().find(":2: --metadata: `lots` is no amount of limit `requests`"), std::string::npos)
      << t.err.str();
}

TEST(KeysCommand, AnUpdateOfMetadataSaysWhatWent) {
  Terminal t;
  ASSERT_EQ(t.run({"keys", "create", "--name", "lin", "--metadata",
                   R"({"lineage":"required","tools":{"deny":["x"]},"limits":{"spend":"5/day","runs":"9/1h"}})"}),
            kExitDone);
  ASSERT_EQ(t.run({"keys", "update", "lin", "--metadata", R"({"limits":{"spend":"60/day"}})"}), kExitDone);
  EXPECT_EQ(t.out.str(), "updated lin (metadata no longer has: limits.runs, lineage, tools)\n");
  EXPECT_EQ(t.err.str(),
            "note: whether the policy knows these limits and tools was not checked; with -c weir.yaml it is\n");
  ASSERT_EQ(t.run({"keys", "update", "lin", "--metadata", R"({"limits":{"spend":"70/day"},"plan":"x"})"}), kExitDone);
  EXPECT_EQ(t.out.str(), "updated lin\n");
  ASSERT_EQ(t.run({"keys", "update", "lin", "--tenant", "acme"}), kExitDone);
  EXPECT_EQ(t.err.str(), "") << "its metadata are as they were";
}

TEST(KeysCommand, WithoutAPolicyATierIsTakenAndItIsSaidThatNobodyLooked) {
  Terminal t;
  EXPECT_EQ(t.run({"keys", "create", "--name", "ann", "--tier", "por", "--json"}), kExitDone);
  EXPECT_EQ(t.err.str(), "note: whether there is a tier por was not checked; with -c weir.yaml it is\n");
  EXPECT_EQ(t.run({"keys", "update", "ann", "--tenant", "acme"}), kExitDone);
  EXPECT_EQ(t.err.str(), "") << "the tier is as it was";
  EXPECT_EQ(t.run({"keys", "update", "ann", "--tier", "prro"}), kExitDone);
  EXPECT_EQ(t.lines(t.err), 1u);
}

TEST(TokensCommand, SaysInWhichStoreTheTokenIsAndMakesOneOnlyWhereItWasTold) {
  Terminal t;
  TokensOptions options;
  options.store = t.store();
  options.name = "grafana";
  ASSERT_EQ(run_tokens_create(options, t.context), kExitDone) << t.err.str();
  EXPECT_EQ(t.err.str(), "token for the store in " + t.data() + " (new)\n");
  t.err.str("");
  options.name = "ops";
  ASSERT_EQ(run_tokens_create(options, t.context), kExitDone);
  EXPECT_EQ(t.err.str(), "token for the store in " + t.data() + "\n");

  const auto home = std::filesystem::current_path();
  std::filesystem::current_path(t.dir.path());
  options.store = {};
  t.err.str("");
  EXPECT_EQ(run_tokens_create(options, t.context), kExitCouldNotRun);
  EXPECT_TRUE(t.err.str().starts_with("weir: no store at " + std::filesystem::current_path().string() +
                                      "/weir-data (a relative `data` begins in the current folder); -c weir.yaml or "))
      << t.err.str();
  EXPECT_FALSE(std::filesystem::exists("weir-data"));
  std::filesystem::current_path(home);
}

TEST(KeysCommand, ErrorsAreOneLineWithTheRightCode) {
  Terminal t;
  EXPECT_EQ(t.run({"keys", "list"}), kExitCouldNotRun);
  EXPECT_EQ(t.err.str(), "weir: no store at " + t.data() +
                             "; -c weir.yaml or --data DIR says where it is, `weir serve` or `weir keys create` makes "
                             "one\n");
  ASSERT_EQ(t.run({"keys", "create", "--name", "ann"}), kExitDone);
  const std::vector<std::pair<std::vector<std::string>, int>> cases = {
      {{"keys", "show", "nobody"}, kExitNo},
      {{"keys", "update", "nobody", "--tier", "pro"}, kExitNo},
      {{"keys", "revoke", "nobody"}, kExitNo},
      {{"keys", "update", "ann"}, kExitCouldNotRun},
      {{"keys", "create", "--name", "a b"}, kExitCouldNotRun},
      {{"keys", "create", "--name", "c", "--kind", "robot"}, kExitCouldNotRun},
      {{"keys", "create", "--name", "c", "--metadata", "[]"}, kExitCouldNotRun},
      {{"keys", "create", "--name", "c", "--metadata", R"({"a":"x\ny"})"}, kExitCouldNotRun},
      {{"keys", "create", "--name", "c", "--tenant", std::string(257, 'x')}, kExitCouldNotRun},
      {{"keys", "create", "--name", "c", "--user", "a\x01"}, kExitCouldNotRun},
      {{"usage", "--since", "yesterday"}, kExitCouldNotRun},
      {{"usage", "--by", "colour"}, kExitCouldNotRun},
      {{"usage", "--purge"}, kExitCouldNotRun},
      {{"usage", "--purge", "--user", ""}, kExitCouldNotRun},
      {{"audit", "--since", "2026-02-31T00:00:00Z"}, kExitCouldNotRun},
  };
  for (const auto& [words, code] : cases) {
    EXPECT_EQ(t.run(words), code) << words.back();
    EXPECT_EQ(t.lines(t.err), 1u) << t.err.str();
    EXPECT_EQ(t.out.str(), "");
  }
}

TEST(KeysCommand, TheStoreIsFoundByConfigOrDataOrDefault) {
  Terminal t;
  EXPECT_EQ(data_directory({.config = "good.yaml", .data = {}}, t.context).value(), t.data());
  EXPECT_EQ(data_directory({.config = {}, .data = "there"}, t.context).value(), "there");
  EXPECT_EQ(data_directory({}, t.context).value(), "./weir-data");
  EXPECT_EQ(run_keys_create({.store = {.config = "bad.yaml", .data = {}}, .name = "x"}, t.context), kExitCouldNotRun);
  EXPECT_EQ(t.err.str(), "weir: bad.yaml is not valid\n");
}

TEST(UsageCommand, RowsHaveTheFieldsOfTheContract) {
  Terminal t;
  UsageRow row;
  row.time = kNow - kHour;
  row.request_id = "req_1";
  row.key = "ann";
  row.tenant = "acme";
  row.model = "gpt-4o";
  row.status = 200;
  row.usage = {.input_uncached = 98,
               .cache_read = 20,
               .cache_write = 3,
               .cache_write_1h = 2,
               .output_visible = 40,
               .reasoning = 5};
  row.usd_micros = 4130;
  row.reserved_tokens = 1124;
  row.attempts = 1;
  row.settled = Settled::kCounted;
  UsageRow old = row;
  old.time = kNow - 40 * kDay;
  old.model = "claude";
  {
    Store store = Store::open(t.data(), {.create = true}).value();
    ASSERT_TRUE(store.book(std::vector{row, old}, {}, {}));
  }
  ASSERT_EQ(t.run({"usage", "--json", "--since", "90m"}), kExitDone) << t.err.str();
  EXPECT_EQ(t.out.str(),
            R"({"time":")" + format_rfc3339(kNow - kHour, 3) +
                R"(","request_id":"req_1","key":"ann","tenant":"acme","user":"","tier":"","kind":"","conversation":"",)"
                R"("run":"","agent":"","model":"gpt-4o","provider":"","route":"","status":200,"input_tokens":123,)"
                R"("output_tokens":45,"cached_tokens":20,"cache_write_tokens":5,"reasoning_tokens":5,)"
                R"("usd_micros":4130,"reserved_tokens":1124,"tool_calls":0,"degraded":"","attempts":1,)"
                R"("settled":"counted","tools":""})"
                "\n");
  ASSERT_EQ(t.run({"usage", "--json"}), kExitDone);
  EXPECT_EQ(t.lines(t.out), 2u);
  ASSERT_EQ(t.run({"usage", "--json", "--by", "model"}), kExitDone);
  EXPECT_EQ(t.lines(t.out), 2u);
  EXPECT_TRUE(t.out.str().starts_with(
      R"({"model":"claude","requests":1,"input_tokens":123,"output_tokens":45,"cached_tokens":20,)"))
      << t.out.str();
  ASSERT_EQ(t.run({"usage"}), kExitDone);
  EXPECT_EQ(t.lines(t.out), 4u);
  EXPECT_NE(t.out.str().find("total of 2"), std::string::npos);
  EXPECT_NE(t.out.str().find("0.008260"), std::string::npos) << t.out.str();
  ASSERT_EQ(t.run({"usage", "--by", "key"}), kExitDone);
  EXPECT_NE(t.out.str().find("ann"), std::string::npos);
}

TEST(AuditCommand, RowsHaveTheFieldsOfTheContract) {
  Terminal t;
  AuditRow row;
  row.time = kNow;
  row.request_id = "req_9";
  row.key = "ann";
  row.layer = "budget";
  row.limit = "spend";
  row.per_json = R"({"caller":"acme/ann"})";
  row.used = "4.20";
  row.reserved = "0";
  row.requested = "6.5e";  // no decimal number
  row.retry_after_s = 31.2;
  row.count = 80;
  row.config_version = "abc";
  AuditRow second = row;
  second.retry_after_s = -1;
  {
    Store store = Store::open(t.data(), {.create = true}).value();
    ASSERT_TRUE(store.book({}, std::vector{row, second}, {}));
  }
  ASSERT_EQ(t.run({"audit", "--json"}), kExitDone) << t.err.str();
  const std::string first = t.out.str().substr(0, t.out.str().find('\n'));
  EXPECT_EQ(first, R"({"time":")" + format_rfc3339(kNow, 3) +
                       R"(","request_id":"req_9","key":"ann","event":"refused","layer":"budget","limit":"spend",)"
                       R"("per":{"caller":"acme/ann"},"used":4.20,"reserved":0,"requested":null,"allowed":null,)"
                       R"("retry_after":31.2,"count":80,"evidence":"","config_version":"abc",)"
                       R"("user":"","tool":"","run":"","agent":""})");
  EXPECT_NE(t.out.str().find(R"("retry_after":null)"), std::string::npos);
  ASSERT_EQ(t.run({"audit"}), kExitDone);
  EXPECT_NE(t.out.str().find("160"), std::string::npos) << t.out.str();
  ASSERT_EQ(t.run({"audit", "--since", "2099-01-01T00:00:00Z", "--json"}), kExitDone);
  EXPECT_EQ(t.out.str(), "");
}

TEST(Since, TimesAndAges) {
  EXPECT_EQ(parse_since("90m", kNow).value(), kNow - 90 * kMinute);
  EXPECT_EQ(parse_since("24h", kNow).value(), kNow - kDay);
  EXPECT_EQ(parse_since("7d", kNow).value(), kNow - 7 * kDay);
  EXPECT_EQ(parse_since("1970-01-01T00:00:01Z", kNow).value(), kSecond);
  EXPECT_EQ(parse_since("1970-01-01T01:00:00.250+01:00", kNow).value(), 250 * kMillisecond);
  EXPECT_EQ(parse_since("1970-01-02", kNow).value(), kDay);
  // Times that nanoseconds cannot count are the first and the last there are.
  EXPECT_EQ(parse_since("2999-01-01T00:00:00Z", kNow).value(), std::numeric_limits<TimeNs>::max());
  EXPECT_EQ(parse_since("0001-01-01", kNow).value(), std::numeric_limits<TimeNs>::min());
  EXPECT_GT(parse_since("2261-01-01T00:00:00-23:59", kNow).value(), kNow);
  EXPECT_LT(parse_since("1679-01-01T00:00:00+23:59", kNow).value(), 0);
  EXPECT_EQ(parse_since(format_rfc3339(kNow, 9), kNow).value(), kNow);
  for (const char* bad : {"", "d", "-1d", "5x", "2026-13-01", "2026-11-20T25:00:00Z", "2026-11-20T10:00:00",
                          "2026-11-20T10:00:00+1:00", "99999999999999999999d", "2026-11-20T10:00:00.Z"}) {
    EXPECT_FALSE(parse_since(bad, kNow)) << bad;
  }
}

}  // namespace
}  // namespace weir
