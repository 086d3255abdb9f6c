#include "replay/agent_replay.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "replay/test_agents.h"

namespace weir {
namespace {

// Lines of one trace.
class Script {
 public:
  explicit Script(std::string trace, std::string more = {}) : trace_(std::move(trace)), more_(std::move(more)) {}

  Script& model(std::int64_t in = 10, std::int64_t out = 10) {
    return add("llm_call",
               R"(,"in_tok":)" + std::to_string(in) + R"(,"out_tok":)" + std::to_string(out) + R"(,"tool_calls":1)");
  }
  Script& call(std::string_view tool, std::string_view args, std::string_view destination = "null") {
    return add("tool_call", R"(,"tool":")" + std::string(tool) + R"(","args_hash":")" + std::string(args) +
                                R"(","dest_new":)" + std::string(destination));
  }
  Script& result(std::string_view tool, std::string_view content, bool error = false) {
    return add("tool_result", R"(,"tool":")" + std::string(tool) + R"(","error":)" + (error ? "1" : "0") +
                                  R"(,"result_hash":")" + std::string(content) + "\"");
  }
  const std::string& text() const { return text_; }

 private:
  Script& add(std::string_view kind, const std::string& rest) {
    text_ += R"({"trace":")" + trace_ + R"(","step":)" + std::to_string(step_++) + R"(,"kind":")" + std::string(kind) +
             "\"" + more_ + rest + "}\n";
    return *this;
  }

  std::string trace_, more_, text_;
  int step_ = 0;
};

std::string calls(std::string trace, int count, std::string_view tool = "look", bool equal = false,
                  std::string more = {}) {
  Script script(std::move(trace), std::move(more));
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    script.model().call(tool, equal ? "same" : number).result(tool, number);
  }
  return script.text();
}

TEST(AgentReplay, TellsOneLineForEachToolCall) {
  const AgentsTold told = replay_agents(policy_from("limits: []"), calls("a", 3) + calls("b", 2, "other"));
  ASSERT_EQ(told.lines.size(), 5u);
  EXPECT_EQ(told.words(), "allow allow allow allow allow");
  EXPECT_EQ(told.lines[1].step, 4);
  EXPECT_EQ(told.lines[3].trace, "b");
  EXPECT_EQ(told.lines[3].tool, "other");
  EXPECT_EQ(summary_json(told.summary),
            R"({"traces":2,"events":15,"allow":5,"warn":0,"break":0,"refuse":0,"anomaly":0})");
  EXPECT_TRUE(told.text.starts_with(R"({"trace":"a","step":1,"tool":"look","decision":"allow","guard":null,"why":null})"
                                    "\n"));
}

TEST(AgentReplay, WarnsOfRepeatsAndBreaksThem) {
  const AgentsTold told = replay_agents(policy_from("limits: []"), calls("a", 6, "look", true));
  EXPECT_EQ(told.words(), "allow allow warn warn break break");
  EXPECT_EQ(told.lines[4].guard, "repeats");
  EXPECT_NE(told.lines[4].why, "");
}

TEST(AgentReplay, WhatOneTraceDidIsNotHeldAgainstTheNext) {
  const std::string loop = calls("a", 4, "look", true);
  EXPECT_EQ(replay_agents(policy_from("limits: []"), loop + calls("b", 4, "look", true)).words(),
            "allow allow warn warn allow allow warn warn");
}

TEST(AgentReplay, ABreakAfterResultsAppearsAtTheNextCall) {
  Script script("a");
  script.model();
  for (int i = 0; i < 6; ++i) script.call("look", std::to_string(i)).result("look", std::to_string(i), true);
  const AgentsTold told = replay_agents(policy_from("limits: []"), script.text());
  EXPECT_EQ(told.words(), "allow allow allow allow allow break");
  EXPECT_EQ(told.lines[5].guard, "tool_errors");
}

TEST(AgentReplay, ToolLimitsRefuseAndNameTheLimit) {
  const auto policy =
      policy_from("limits: [{ name: pays, per: tool, meter: tool_calls, allow: 2/1h, match: { tool: pay } }]");
  Script script("a");
  for (int i = 0; i < 3; ++i) script.model().call("pay", std::to_string(i)).call("look", std::to_string(i));
  const AgentsTold told = replay_agents(policy, script.text());
  EXPECT_EQ(told.words(), "allow allow allow allow refuse allow");
  EXPECT_EQ(told.lines[4].guard, "pays");
  EXPECT_EQ(told.lines[4].tool, "pay");
  EXPECT_EQ(told.summary.refused, 1);
}

TEST(AgentReplay, TracesAreAnHourApartForLimitsToo) {
  const auto policy = policy_from("limits: [{ name: pays, per: tool, meter: tool_calls, allow: 2/1h }]");
  EXPECT_EQ(replay_agents(policy, calls("a", 3) + calls("b", 3)).words(), "allow allow refuse allow allow refuse");
  const auto day = policy_from("limits: [{ name: pays, per: tool, meter: tool_calls, allow: 4/1d }]");
  EXPECT_EQ(replay_agents(day, calls("a", 3) + calls("b", 3)).words(), "allow allow allow allow refuse refuse");
}

TEST(AgentReplay, WithoutATimeAnEventComesASecondAfterTheOneBefore) {
  // llm_call, call, result: a call every three seconds.
  const auto policy = policy_from("limits: [{ name: pays, per: tool, meter: tool_calls, allow: 2/7s }]");
  EXPECT_EQ(replay_agents(policy, calls("a", 4)).words(), "allow allow refuse allow");
}

TEST(AgentReplay, AnotherTenantHasItsOwnLimits) {
  const auto policy = policy_from("limits: [{ name: t, per: tenant, meter: tool_calls, allow: 2/1d }]");
  const std::string acme = R"(,"tenant":"acme")", beta = R"(,"tenant":"beta")";
  EXPECT_EQ(replay_agents(policy, calls("a", 3, "f", false, acme) + calls("b", 3, "f", false, beta)).words(),
            "allow allow refuse allow allow refuse");
}

TEST(AgentReplay, ARefusedModelCallIsALineWithoutATool) {
  const auto policy = policy_from("limits: [{ name: tokens, per: key, meter: tokens, allow: 1000/1h }]");
  Script script("a");
  script.model(500, 100).call("look", "1").result("look", "1").model(300, 101).call("look", "2");
  const AgentsTold told = replay_agents(policy, script.text());
  EXPECT_EQ(told.words(), "allow refuse allow") << "calls that follow are still judged";
  EXPECT_EQ(told.lines[1].tool, "");
  EXPECT_EQ(told.lines[1].step, 3);
  EXPECT_EQ(told.lines[1].guard, "tokens");
  EXPECT_NE(told.text.find(R"("step":3,"tool":null,"decision":"refuse","guard":"tokens")"), std::string::npos);
}

TEST(AgentReplay, RunsAreCountedOncePerTrace) {
  const auto policy = policy_from("limits: [{ name: runs, per: key, meter: runs, allow: 2/1d }]");
  const AgentsTold told = replay_agents(policy, calls("a", 3) + calls("b", 1) + calls("c", 1));
  EXPECT_EQ(told.words(), "allow allow allow allow refuse allow");
  EXPECT_EQ(told.lines[4].guard, "runs");
}

TEST(AgentReplay, BoundsOfARunBreak) {
  const auto policy = policy_from("limits: []\nruns: { max_tool_calls: 2 }");
  const AgentsTold told = replay_agents(policy, calls("a", 3));
  ASSERT_GE(told.lines.size(), 3u);
  EXPECT_EQ(told.lines.back().decision, AgentDecision::kBreak);
  EXPECT_EQ(told.lines.back().guard, "runs");
}

constexpr std::string_view kProfiles = "limits: []\nprofiles: { sensitive: [pay, mail], warmup: 5, on_anomaly: ";

std::string ordinary_runs(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    out += Script("ordinary-" + std::to_string(i), R"(,"agent":"bot","task":"bills")")
               .model()
               .call("look", "1")
               .call("pay", "2", "0")
               .text();
  }
  return out;
}

std::string judged_run(std::string_view tool, std::string_view destination) {
  return Script("judged", R"(,"agent":"bot","task":"bills")")
      .model()
      .call("look", "1")
      .call(tool, "9", destination)
      .text();
}

TEST(AgentReplay, WhatOrdinaryRunsNeverDidIsAnAnomaly) {
  for (const std::string_view mode : {"audit", "refuse"}) {
    const auto policy = policy_from(std::string(kProfiles) + std::string(mode) + " }");
    const AgentsTold told = replay_agents(policy, judged_run("mail", "null"), ordinary_runs(5));
    EXPECT_EQ(told.words(), "allow anomaly");
    EXPECT_EQ(told.lines[1].guard, "profile");
    EXPECT_EQ(told.summary.traces, 1) << "those that teach are not counted";
    EXPECT_EQ(replay_agents(policy, judged_run("pay", "1"), ordinary_runs(5)).words(), "allow anomaly");
    EXPECT_EQ(replay_agents(policy, judged_run("pay", "0"), ordinary_runs(5)).words(), "allow allow");
    EXPECT_EQ(replay_agents(policy, judged_run("mail", "1"), ordinary_runs(4)).words(), "allow allow") << "not warm";
  }
}

TEST(AgentReplay, OrdinaryRunsUseUpNoLimit) {
  const auto policy = policy_from("limits: [{ name: t, per: key, meter: tool_calls, allow: 2/30d }]");
  EXPECT_EQ(replay_agents(policy, judged_run("pay", "0"), ordinary_runs(9)).words(), "allow allow");
}

// Whatever the truth says of a run, nothing of it may show in a decision.
RC_GTEST_PROP(AgentReplayProperties, LabelsChangeNothing, ()) {
  const auto policy = policy_from(std::string(kProfiles) + "audit }");
  const auto run = [&](const std::string& truth) {
    std::string out;
    for (int i = 0; i < 7; ++i) {
      out += Script("r" + std::to_string(i), truth).model().call("pay", i == 6 ? "9" : "1", i == 6 ? "1" : "0").text();
    }
    return out + calls("loop", 6, "look", true, truth);
  };
  const std::string number = std::to_string(*rc::gen::inRange(0, 2));
  std::string truth;
  for (const char* name : {"label", "sensitive", "hit_step_cap", "security", "utility", "solved"}) {
    truth += std::string(",\"") + name + "\":" + (*rc::gen::arbitrary<bool>() ? number : "\"benign\"");
  }
  RC_ASSERT(replay_agents(policy, run("")).text == replay_agents(policy, run(truth)).text);
}

TEST(AgentReplay, TranscriptsAreJudgedLikeEvents) {
  std::string run = R"({"trace":"t","messages":[{"role":"user","content":"go"})";
  for (int i = 0; i < 6; ++i) {
    const std::string id = std::to_string(i);
    run.append(R"(,{"role":"assistant","content":null,"tool_calls":[{"id":"c)").append(id);
    run.append(R"(","type":"function","function":{"name":"look","arguments":"{\"q\":1}"}}]})");
    run.append(R"(,{"role":"tool","tool_call_id":"c)").append(id);
    run.append(R"(","content":")").append(id).append("\"}");
  }
  const AgentsTold told = replay_agents(policy_from("limits: []"), run + "]}");
  EXPECT_EQ(told.words(), "allow allow warn warn break break");
  EXPECT_EQ(told.summary.events, 18);
  EXPECT_EQ(told.lines[1].step, 4);
}

// Some providers number the calls of each turn from zero.
TEST(AgentReplay, CallIdsThatAreUsedAgainMakeNoLoop) {
  std::string run = R"({"trace":"t","messages":[{"role":"user","content":"go"})";
  for (int i = 0; i < 8; ++i) {
    run += R"(,{"role":"assistant","content":null,"tool_calls":[{"id":"call_0","type":"function","function":)"
           R"({"name":"look","arguments":"{\"q\":)" +
           std::to_string(i) + R"(}"}}]},{"role":"tool","tool_call_id":"call_0","content":")" +
           std::string(i < 4 ? "ok" : std::to_string(i)) + "\"}";
  }
  EXPECT_EQ(replay_agents(policy_from("limits: []"), run + "]}").words(),
            "allow allow allow allow allow allow allow allow");
}

TEST(AgentReplay, AnAnomalyIsToldAlsoWhereALimitRefusesTheCall) {
  const auto policy = policy_from(
      "limits: [{ name: mails, per: tool, meter: tool_calls, allow: 0/1h, match: { tool: mail } }]\n"
      "profiles: { sensitive: [pay, mail], warmup: 5 }");
  EXPECT_EQ(replay_agents(policy, judged_run("mail", "1"), ordinary_runs(5)).words(), "allow anomaly");
  EXPECT_EQ(replay_agents(policy, judged_run("mail", "1"), ordinary_runs(4)).words(), "allow refuse");
}

TEST(AgentReplay, TracesTogetherLastAtMostTwoCenturies) {
  AgentReplay replay(policy_from("limits: []"), nullptr);
  replay.begin_file(false);
  const AgentNames names;
  Result<void> added;
  int traces = 0;
  for (; added && traces < 100; ++traces) {
    const std::string trace = std::to_string(traces);
    AgentEvent event{.trace = trace, .begins = true, .time = kMaxTraceTime, .names = &names};
    added = replay.add(event);
  }
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().message, "the traces together are longer than two centuries");
  EXPECT_EQ(traces, 20);
}

}  // namespace
}  // namespace weir
