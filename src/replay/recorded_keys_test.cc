#include "replay/recorded_keys.h"

#include "records/metadata.h"
#include "replay/test_agents.h"
#include "replay/test_recommend.h"

namespace weir {
namespace {

std::shared_ptr<const ConsumerSnapshot> directory(
    const std::vector<std::pair<std::string, std::string>>& metadata_of_keys) {
  auto out = std::make_shared<ConsumerSnapshot>();
  for (const auto& [name, metadata] : metadata_of_keys) {
    Consumer consumer{.id = static_cast<std::int64_t>(out->size()) + 1, .name = name, .tier = "now"};
    EXPECT_TRUE(set_metadata(consumer, metadata)) << metadata;
    ConsumerSnapshot::Entry entry{.hash = {}, .consumer = std::make_shared<const Consumer>(consumer)};
    entry.hash[0] = static_cast<unsigned char>(consumer.id);
    out->add(std::move(entry));
  }
  return out;
}

RecordedKeys keys_with(std::string metadata_of_ann) {
  return RecordedKeys(directory({{"ann", std::move(metadata_of_ann)}, {"plain", "{}"}}));
}

std::int64_t refused(std::string_view yaml, RecordedKeys& keys, const std::vector<Used>& rows) {
  Replay replay(policy_from(yaml), {}, {});
  replay.begin_trace(FakeTrace(true));
  for (const Used& used : rows) {
    TraceRow row = ledger_row(used);
    keys.complete(row);
    EXPECT_TRUE(replay.add(row));
  }
  replay.finish();
  return replay.summary().refused;
}

std::vector<Used> requests(const std::string& key, int count) {
  std::vector<Used> rows;
  for (int i = 0; i < count; ++i) rows.push_back({.at = 0.1 * i, .key = key});
  return rows;
}

constexpr std::string_view kTenAMinute = "limits: [{ name: requests, per: caller, meter: requests, allow: 10/1m }]";

TEST(RecordedKeys, AmountsOfAKeysOwnHold) {
  RecordedKeys roomy = keys_with(R"({"limits":{"requests":"500/1m"}})");
  EXPECT_EQ(refused(kTenAMinute, roomy, requests("ann", 40)), 0);
  EXPECT_EQ(refused(kTenAMinute, roomy, requests("plain", 40)), 30);
  RecordedKeys tight = keys_with(R"({"limits":{"requests":["3/1m"]}})");
  EXPECT_EQ(refused(kTenAMinute, tight, requests("ann", 40)), 37);
}

TEST(RecordedKeys, WhatALimitReadsOfMetadataIsThere) {
  RecordedKeys keys = keys_with(R"({"rpm":7,"plan":"gold","team":"blue"})");
  EXPECT_EQ(refused("limits: [{ name: own, per: key, meter: requests, allow: '{metadata.rpm}/1m' }]", keys,
                    requests("ann", 40)),
            33);
  EXPECT_EQ(refused("limits: [{ name: plan, per: key, meter: requests, allow: 5/1m, match: { metadata.plan: gold } }]",
                    keys, requests("ann", 40)),
            35);
  EXPECT_EQ(refused("limits: [{ name: team, per: team, meter: requests, allow: 4/1m, missing: refuse }]", keys,
                    requests("ann", 40)),
            36);
}

TEST(RecordedKeys, ARowsOwnTierIsThatOfItsTime) {
  constexpr std::string_view kTiers =
      "default_tier: then\ntiers: { then: { weight: 1 }, now: { weight: 1 } }\n"
      "limits: [{ name: requests, per: key, meter: requests, allow: { then: 9/1m, now: 2/1m, default: 1/1m } }]";
  RecordedKeys keys = keys_with("{}");
  std::vector<Used> rows = requests("ann", 10);
  for (Used& row : rows) row.tier = "then";
  EXPECT_EQ(refused(kTiers, keys, rows), 1);
  for (Used& row : rows) row.tier.clear();
  EXPECT_EQ(refused(kTiers, keys, rows), 8) << "what a row does not say is as the key is now";
}

TEST(RecordedKeys, ALineWithMetadataIsJudgedByIt) {
  std::string text;
  for (int i = 0; i < 9; ++i) {
    text += R"({"time":"2026-11-20T10:00:00Z","key":"ann","input_tokens":1,"output_tokens":1,"metadata":)";
    text += i < 6 ? R"({"limits":{"requests":"4/1m"}}})" : "null}";
    text += '\n';
  }
  RecordedKeys keys = keys_with(R"({"limits":{"requests":"500/1m"}})");
  Replay replay(policy_from(kTenAMinute), {}, {});
  const auto trace = open_trace(text, "x.jsonl").value();
  replay.begin_trace(*trace);
  TraceRow row;
  while (trace->next(row).value()) {
    keys.complete(row);
    ASSERT_TRUE(replay.add(row));
  }
  EXPECT_EQ(replay.summary().refused, 2) << "of the first six";
  EXPECT_EQ(keys.note(),
            "Rows with metadata of their own were judged by it. The metadata of 1 key was used, as it is now.");
}

TEST(RecordedKeys, MetadataThatIsNoneIsAnErrorOfItsLine) {
  const auto trace =
      open_trace(R"({"time":"2026-11-20T10:00:00Z","input_tokens":1,"output_tokens":1,"metadata":"gold"})", "x.jsonl");
  ASSERT_TRUE(trace);
  TraceRow row;
  const auto read = (*trace)->next(row);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "x.jsonl:1: `metadata` is not a JSON object, such as {\"plan\":\"pro\"}");
}

TEST(RecordedKeys, TheNoteSaysHowManyWereUsed) {
  const auto note = [](RecordedKeys keys, const std::vector<std::string>& named) {
    for (const std::string& name : named) {
      for (int again = 0; again < 2; ++again) {
        TraceRow row;
        row.key = name;
        keys.complete(row);
      }
    }
    return keys.note();
  };
  const auto two = directory({{"a", R"({"x":1})"}, {"b", R"({"x":1})"}, {"c", "{}"}});
  EXPECT_EQ(note(RecordedKeys(two), {}), "");
  EXPECT_EQ(note(RecordedKeys(two), {""}), "") << "load rows name no keys";
  EXPECT_EQ(note(RecordedKeys(two), {"c"}), "No key has metadata that could be used.");
  EXPECT_EQ(note(RecordedKeys(two), {"a", "b", "gone"}),
            "The metadata of 2 keys was used, as it is now. Keys that the store does not have were judged without.");
  EXPECT_EQ(note(RecordedKeys(fail("there is no store")), {"a"}),
            "The metadata of keys was not used, for it could not be read: there is no store.");
}

TEST(RecordedKeys, AnAgentsKeyMayDenyATool) {
  const auto policy = policy_from("");
  const auto refusals = [&](RecordedKeys* keys) {
    AgentReplay replay(policy, {}, keys);
    const std::string text =
        R"({"trace":"r","step":0,"kind":"llm_call","in_tok":9,"out_tok":4,"tool_calls":1,"key":"ann"})"
        "\n"
        R"({"trace":"r","step":1,"kind":"tool_call","tool":"send_money"})"
        "\n";
    const auto trace = open_agent_trace(text, "x.jsonl").value();
    replay.begin_file(false);
    AgentEvent event;
    while (trace->next(event).value()) EXPECT_TRUE(replay.add(event));
    replay.finish();
    return replay.summary().refused;
  };
  RecordedKeys keys = keys_with(R"({"tools":{"deny":["send_*"]}})");
  EXPECT_EQ(refusals(&keys), 1);
  EXPECT_EQ(refusals(nullptr), 0);
}

// --- recommend ------------------------------------------------------------------------------------------------------

TEST(RecordedKeys, ALimitIsJudgedByThoseWhoHaveItsAmount) {
  const auto policy = policy_from(
      "limits:\n"
      "  - { name: requests, per: caller, meter: requests, allow: 10/1m }\n"
      "  - { name: requests-too, per: caller, meter: requests, allow: 10/1m }");
  const auto why = [&](const std::vector<Used>& rows) {
    RecordedKeys keys = keys_with(R"({"limits":{"requests":"500/1m"}})");
    UseBook book(*policy);
    for (const Used& used : rows) {
      TraceRow row = ledger_row(used);
      keys.complete(row);
      EXPECT_TRUE(book.add(row));
    }
    book.finish();
    std::vector<std::string> out;
    for (const LimitFinding& finding : compare(*policy, book)) {
      out.push_back(std::string(to_string(finding.verdict)) + ": " + finding.why);
    }
    return out;
  };
  std::vector<Used> rows = requests("ann", 40);
  const std::string loosen =
      "loosen: 10 is 0.25 times the p95 of 40 per minute: ordinary peaks meet it; 4 times is 200";
  EXPECT_EQ(why(rows), (std::vector<std::string>{"not judged: each key that used it has its own amount", loosen}));
  for (int i = 0; i < 2; ++i) rows.push_back({.at = 50.0 + i, .key = "plain"});
  EXPECT_EQ(why(rows), (std::vector<std::string>{"fits: 10 is 5 times the p95 of 2 per minute (without those whose key "
                                                 "has its own amount)",
                                                 loosen}));
}

TEST(RecordedKeys, AProposalIsTriedOnAKeyWithAnAmountOfItsOwn) {
  const auto policy = built_in();
  std::vector<Used> rows;
  for (int i = 0; i < 30; ++i) rows.push_back({.at = i * 60.0, .key = "ann"});
  const auto refused_at_ten_times = [&](std::string metadata) {
    RecordedKeys keys = keys_with(std::move(metadata));
    const auto each = [&](const auto& use) {
      for (const Used& used : rows) {
        TraceRow row = ledger_row(used);
        keys.complete(row);
        EXPECT_TRUE(use(row));
      }
    };
    UseBook book(*policy);
    each([&](const TraceRow& row) { return book.add(row); });
    book.finish();
    auto trial = Trial::make(*policy, book).value();
    each([&](const TraceRow& row) { return trial->add(row); });
    trial->finish();
    return trial->choices(0).back().refused;
  };
  EXPECT_EQ(refused_at_ten_times("{}"), 0);
  EXPECT_EQ(refused_at_ten_times(R"({"limits":{"requests":"0/1m"}})"), 30);
}

}  // namespace
}  // namespace weir
