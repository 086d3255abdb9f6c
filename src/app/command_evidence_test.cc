// audit --verify, report, kill and unkill as a user or a program meets them.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

#include "app/abuse_report.h"
#include "app/command_audit.h"
#include "app/command_kill.h"
#include "app/command_report.h"
#include "app/command_usage.h"
#include "app/entropy.h"
#include "journal/test_support.h"
#include "records/sqlite.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'000'000 * kSecond;

class Evidence : public testing::Test {
 protected:
  std::string data() const { return dir / "data"; }
  Store open() { return Store::open(data(), {.create = true}).value(); }
  int run(std::vector<std::string> words) {
    out.str("");
    err.str("");
    CLI::App app("weir");
    int exit_code = -1;
    add_usage_command(app, exit_code, context);
    add_audit_command(app, exit_code, context);
    add_report_command(app, exit_code, context);
    add_kill_commands(app, exit_code, context);
    words.insert(words.end(), {"--data", data()});
    std::reverse(words.begin(), words.end());
    try {
      app.parse(words);
    } catch (const CLI::ParseError& error) {
      err << error.what() << '\n';
      return kExitCouldNotRun;
    }
    return exit_code;
  }
  bool says(const std::string& text) const { return out.str().find(text) != std::string::npos; }
  bool complains(const std::string& text) const { return err.str().find(text) != std::string::npos; }
  void tamper(const char* sql) {
    Database db;
    ASSERT_TRUE(db.open(data() + "/weir.db", SQLITE_OPEN_READWRITE, 1000));
    ASSERT_TRUE(db.execute(sql));
  }

  TempDir dir;
  std::ostringstream out, err;
  CommandContext context{
      .data_of_config = [](const std::string& path) -> Result<std::string> { return fail(path + " is not valid"); },
      .now = [] { return kNow; },
      .entropy = system_entropy,
      .out = &out,
      .err = &err,
  };
};

AuditRow event(AuditEvent what, const std::string& key, const std::string& tool, TimeNs time, std::int64_t count = 1) {
  AuditRow row;
  row.time = time;
  row.request_id = "req_" + std::to_string(time / kSecond % 1000);
  row.key = key;
  row.event = what;
  row.layer = "tool";
  row.limit = "high-risk";
  row.used = "5";
  row.requested = "1";
  row.allowed = "5";
  row.count = count;
  row.tool = tool;
  row.user = key + "-user";
  return row;
}

TEST_F(Evidence, VerifySaysIntactAndTheHeadWhichIsFoundLater) {
  ASSERT_TRUE(open().book({}, std::vector{event(AuditEvent::kRefused, "ann", "pay", kNow - kDay)}, {}));
  ASSERT_EQ(run({"audit", "--verify"}), kExitDone) << err.str();
  EXPECT_TRUE(out.str().starts_with("1 rows checked, 2026-11-")) << out.str();
  EXPECT_TRUE(says("\nintact\nhead "));
  const std::string head = out.str().substr(out.str().find("head ") + 5, 64);
  ASSERT_TRUE(open().book({}, std::vector{event(AuditEvent::kRefused, "ann", "pay", kNow)}, {}));
  EXPECT_EQ(run({"audit", "--verify", "--expect", head}), kExitDone);
  EXPECT_TRUE(says("the expected head is in the chain"));
  EXPECT_EQ(run({"audit", "--verify", "--expect", std::string(64, 'A')}), kExitNo);
  EXPECT_TRUE(says("not in the kept part"));
  ASSERT_EQ(run({"audit", "--verify", "--json", "--expect", head}), kExitDone);
  EXPECT_TRUE(out.str().starts_with(R"({"intact":true,"rows":2,"first":"2026-11-)")) << out.str();
  EXPECT_TRUE(says(R"("expected_found":true,"broken":null})"));
}

TEST_F(Evidence, VerifySaysWhatRetentionDeleted) {
  ASSERT_TRUE(open().book({}, std::vector{event(AuditEvent::kRefused, "ann", "pay", kNow - kDay)}, {}));
  ASSERT_EQ(open().purge_audit(kNow, 100, kNow).value(), 1u);
  ASSERT_EQ(run({"audit", "--verify"}), kExitDone) << out.str();
  const std::string words = "by retention: 1 rows from before " + format_rfc3339(kNow) + " deleted, 1 in all";
  EXPECT_TRUE(says("last deletion " + format_rfc3339(kNow) + ", " + words + "\nintact")) << out.str();
  ASSERT_EQ(run({"audit", "--verify", "--json"}), kExitDone);
  EXPECT_TRUE(says(R"("last_purge":{"time":")" + format_rfc3339(kNow, 3) + R"(","evidence":")" + words + "\"}"));
}

TEST_F(Evidence, TablesShowToolAndRunWithinTheWidthOfAWindow) {
  AuditRow refused = event(AuditEvent::kRefused, "support-agent", "send_email", kNow - 3);
  refused.run = "run_01jd4x8m2k7q9v3c5b6n8z0a1f";
  refused.used = "4821", refused.reserved = "120", refused.requested = "750", refused.allowed = "5000";
  refused.retry_after_s = 31.2;
  AuditRow broken = event(AuditEvent::kBroken, "research", "web_search", kNow - 2, 480);
  broken.run = "nightly-7";
  broken.layer = "breaker", broken.limit = "repeats", broken.evidence = "same call 5 times in 2 min";
  ASSERT_TRUE(open().book({}, std::vector{refused, broken}, {}));
  ASSERT_TRUE(open().set_kill_switch({KillSwitch::Kind::kTool, "send_email", "phishing, ticket 4711", "cli", kNow}));
  ASSERT_TRUE(open().set_kill_switch({KillSwitch::Kind::kAgent, "crawler", "", "admin", kNow}));
  const std::vector<std::vector<std::string>> commands = {{"audit"}, {"report", "--week"}};
  for (const auto& words : commands) {
    ASSERT_EQ(run(words), kExitDone) << err.str();
    EXPECT_TRUE(says("send_email") && says("same call 5 times in 2 min")) << out.str();
    std::istringstream lines(out.str());
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << out.str();
  }
  ASSERT_EQ(run({"audit"}), kExitDone);
  EXPECT_TRUE(says("nightly-7") && says("run…8z0a1f")) << out.str();
  EXPECT_TRUE(says("4821+120+750 > 5000, wait 31s")) << out.str();
}

TEST_F(Evidence, VerifyNamesTheRowThatBreaksTheChain) {
  std::vector<AuditRow> rows;
  for (int i = 1; i <= 3; ++i) rows.push_back(event(AuditEvent::kRefused, "ann", "pay", kNow + i * kSecond));
  ASSERT_TRUE(open().book({}, rows, {}));
  tamper("UPDATE audit SET key = 'bob' WHERE id = 2");
  EXPECT_EQ(run({"audit", "--verify"}), kExitNo);
  EXPECT_TRUE(says("broken at row 2 (" + format_rfc3339(rows[1].time, 3) + ", request " + rows[1].request_id + ")"))
      << out.str();
  EXPECT_FALSE(says("intact"));
  EXPECT_EQ(run({"audit", "--verify", "--json"}), kExitNo);
  EXPECT_TRUE(says(R"({"intact":false,"rows":1,)")) << out.str();
  EXPECT_TRUE(says(R"("request_id":")" + rows[1].request_id + R"("}})")) << out.str();
}

TEST_F(Evidence, AuditIsFilteredAndShowsWhoAndWhat) {
  ASSERT_TRUE(open().book({},
                          std::vector{event(AuditEvent::kRefused, "ann", "pay", kNow - 3),
                                      event(AuditEvent::kBroken, "bob", "mail\x1b[2J", kNow - 2),
                                      event(AuditEvent::kBroken, "ann", "mail", kNow - 1)},
                          {}));
  ASSERT_EQ(run({"audit", "--json", "--event", "broken", "--key", "ann"}), kExitDone) << err.str();
  EXPECT_TRUE(out.str().ends_with(R"("user":"ann-user","tool":"mail","run":"","agent":""})"
                                  "\n"))
      << out.str();
  ASSERT_EQ(run({"audit", "--limit", "1", "--json"}), kExitDone);
  EXPECT_FALSE(says("bob"));
  ASSERT_EQ(run({"audit"}), kExitDone);
  EXPECT_TRUE(says("mail?[2J")) << "a name cannot speak to the terminal";
}

TEST_F(Evidence, ARefusalIsFoundByTheIdThatItsClientWasGiven) {
  std::vector rows{event(AuditEvent::kRefused, "ann", "pay", kNow - 3),
                   event(AuditEvent::kBroken, "bob", "mail", kNow)};
  rows[0].request_id = "req_00112233445566778899aabbccddeeff";
  ASSERT_TRUE(open().book({}, rows, {}));
  ASSERT_EQ(run({"audit", "--request", rows[0].request_id}), kExitDone) << err.str();
  EXPECT_TRUE(says("ann") && !says("bob")) << out.str();
  ASSERT_EQ(run({"audit", "--request", rows[0].request_id, "--json"}), kExitDone);
  EXPECT_TRUE(out.str().starts_with(R"({"time":)") && says(rows[0].request_id) && !says("bob")) << out.str();
  ASSERT_EQ(run({"audit", "--request", "req_none"}), kExitDone);
  EXPECT_TRUE(says("not found") && says("beyond 20 a second")) << out.str();
  ASSERT_EQ(run({"audit", "--request", "req_none", "--json"}), kExitDone);
  EXPECT_EQ(out.str(), "");
  EXPECT_TRUE(complains("not found")) << "beside the rows, of which there are none";
}

TEST_F(Evidence, ALimitsNameIsNoNumberOfRowsAndTheMessageSaysSo) {
  for (const char* bad : {"month", "0", "1.5", "99999999999999999999"}) {
    ASSERT_EQ(run({"audit", "--limit", bad}), kExitCouldNotRun) << bad;
    EXPECT_TRUE(complains("--limit") && complains("a number of rows") && complains("--request")) << err.str();
  }
}

TEST_F(Evidence, ReportGroupsByWhoToolAndDetectorTheMostFrequentFirst) {
  AuditRow words = event(AuditEvent::kBroken, "bob", "search", kNow - kHour);
  words.evidence = "same call 5 times in 2 min";
  ASSERT_TRUE(open().book({},
                          std::vector{event(AuditEvent::kRefused, "ann", "pay", kNow - 3 * kHour, 2),
                                      event(AuditEvent::kRefused, "ann", "pay", kNow - 2 * kHour, 40),
                                      event(AuditEvent::kRefused, "ann", "mail", kNow - 2 * kHour), words,
                                      event(AuditEvent::kAdmin, "", "pay", kNow - kHour, 1000),
                                      event(AuditEvent::kDegraded, "ann", "", kNow - kHour, 1000),
                                      event(AuditEvent::kRefused, "old", "pay", kNow - 8 * kDay, 1000)},
                          {}));
  ASSERT_EQ(run({"report", "--week", "--json"}), kExitDone) << err.str();
  std::istringstream lines(out.str());
  std::string first, second, third, more;
  std::getline(lines, first);
  std::getline(lines, second);
  std::getline(lines, third);
  EXPECT_FALSE(std::getline(lines, more)) << more;
  EXPECT_EQ(first,
            R"({"key":"ann","user":"ann-user","tool":"pay","event":"refused","layer":"tool","limit":"high-risk",)"
            R"("count":42,"first":")" +
                format_rfc3339(kNow - 3 * kHour, 3) + R"(","last":")" + format_rfc3339(kNow - 2 * kHour, 3) +
                R"(","request_id":"req_800",)"
                R"("evidence":"used 5, asked 1, allowed 5"})");
  EXPECT_NE((second + third).find("same call 5 times in 2 min"), std::string::npos);
  ASSERT_EQ(run({"report"}), kExitDone);
  EXPECT_TRUE(says("44 events in 3 patterns by 2 keys")) << out.str();
  ASSERT_EQ(run({"report", "--since", "10d", "--json"}), kExitDone);
  EXPECT_TRUE(out.str().starts_with(R"({"key":"old")"));
}

TEST_F(Evidence, TheReportsPageEscapesWhatCameFromOutside) {
  AuditRow row = event(AuditEvent::kRefused, "ann", "<script>alert(1)</script>", kNow - kHour);
  row.evidence = "\"quoted\" & 'single'";
  ASSERT_TRUE(open().book({}, std::vector{row}, {}));
  const std::string file = dir / "report.html";
  ASSERT_EQ(run({"report", "--html", file}), kExitDone) << err.str();
  std::stringstream page;
  page << std::ifstream(file).rdbuf();
  const std::string html = page.str();
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(1)&lt;/script&gt;"), std::string::npos);
  EXPECT_NE(html.find("&quot;quoted&quot; &amp; &#39;single&#39;"), std::string::npos);
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(html.find("http:"), std::string::npos) << "nothing is loaded";
  EXPECT_EQ(run({"report", "--html", dir / "no/such/folder.html"}), kExitCouldNotRun);
  EXPECT_TRUE(complains("cannot write"));
}

TEST_F(Evidence, AQuietWeekHasAReportToo) {
  open();
  ASSERT_EQ(run({"report", "--week"}), kExitDone);
  EXPECT_TRUE(out.str().starts_with("nothing was refused")) << out.str();
  EXPECT_EQ(run({"report", "--json"}), kExitDone);
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(run({"report", "--html", dir / "quiet.html"}), kExitDone);
}

TEST_F(Evidence, PatternsAreBoundedAndNoEventIsLost) {
  std::vector<AuditRow> rows;
  for (std::size_t i = 0; i < kMaxPatterns + 20; ++i) {
    rows.push_back(event(AuditEvent::kRefused, "ann", "t" + std::to_string(i), kNow - kHour));
  }
  Store store = open();
  ASSERT_TRUE(store.book({}, rows, {}));
  const AbuseReport report = gather_abuse(store, 0, kNow).value();
  EXPECT_EQ(report.patterns.size(), kMaxPatterns);
  EXPECT_EQ(report.others, 20);
  EXPECT_EQ(report.events, static_cast<std::int64_t>(rows.size()));
  const std::string html = abuse_html(report);
  EXPECT_NE(html.find("9000 rarer patterns are left out"), std::string::npos);
}

TEST_F(Evidence, KillAndUnkillChangeWhatIsListed) {
  Consumer ann{.name = "ann"};
  ASSERT_TRUE(open().create_consumer(ann, KeyHash{1}));
  ASSERT_EQ(run({"kill", "tool", "send_email", "--reason", "phishing", "--json"}), kExitDone) << err.str();
  EXPECT_EQ(out.str(), R"({"kind":"tool","name":"send_email","reason":"phishing","by":"cli","since":")" +
                           format_rfc3339(kNow, 3) + "\"}\n");
  ASSERT_EQ(run({"kill", "key", "ann"}), kExitDone);
  EXPECT_TRUE(says("stopped key ann"));
  ASSERT_EQ(run({"kill", "--list"}), kExitDone);
  EXPECT_TRUE(says("phishing") && says("ann"));
  ASSERT_EQ(run({"unkill", "tool", "send_email"}), kExitDone);
  ASSERT_EQ(run({"kill", "--list", "--json"}), kExitDone);
  EXPECT_FALSE(says("send_email"));
  EXPECT_TRUE(says(R"({"kind":"key","name":"ann","reason":"","by":"cli")"));
  ASSERT_EQ(run({"audit", "--event", "admin", "--json"}), kExitDone);
  EXPECT_TRUE(says(R"("limit":"unkill tool","per":{"tool":"send_email"})")) << out.str();
  ASSERT_EQ(run({"audit"}), kExitDone);
  EXPECT_TRUE(says("kill tool    send_email  -        1  by cli: phishing")) << out.str();
  EXPECT_TRUE(says("ann by cli")) << "the table says what was done to whom";
}

TEST_F(Evidence, AToolThatLooksLikeAnotherIsStoppedAsThatOne) {
  open();
  const std::string wide =
                        "\xEF\xBD\x93"
                        "end_email",
                    cyrillic = "send_em\xD0\xB0il";
  ASSERT_EQ(run({"kill", "tool", wide}), kExitDone) << err.str();
  EXPECT_TRUE(says("stopped tool send_email;")) << out.str();
  EXPECT_EQ(open().kill_switches()->at(0).name, "send_email");
  ASSERT_EQ(run({"unkill", "tool", cyrillic}), kExitDone) << err.str();
  EXPECT_TRUE(open().kill_switches()->empty());
  ASSERT_EQ(run({"kill", "agent", wide}), kExitDone);
  EXPECT_EQ(open().kill_switches()->at(0).name, wide) << "only tools have look-alikes";
}

TEST_F(Evidence, HelpSaysHowNamesMatch) {
  CLI::App app("weir");
  int exit_code = 0;
  add_kill_commands(app, exit_code, context);
  const std::string help = app.get_subcommand("kill")->help();
  EXPECT_NE(help.find("match exactly"), std::string::npos) << help;
}

TEST_F(Evidence, WhatIsNotKnownIsAnsweredWithASuggestion) {
  Consumer ann{.name = "annabel"};
  ASSERT_TRUE(open().create_consumer(ann, KeyHash{1}));
  EXPECT_EQ(run({"kill", "key", "anabel"}), kExitNo);
  EXPECT_TRUE(complains("did you mean annabel?")) << err.str();
  ASSERT_EQ(run({"kill", "run", "run-17"}), kExitDone);
  EXPECT_EQ(run({"unkill", "run", "run-71"}), kExitNo);
  EXPECT_TRUE(complains("run run-71 is not stopped; did you mean run-17?")) << err.str();
  EXPECT_EQ(run({"unkill", "agent", "nobody"}), kExitNo);
  EXPECT_TRUE(complains("`weir kill --list`")) << err.str();
}

TEST_F(Evidence, BadInputIsOneLineAndExitCodeTwo) {
  open();
  const std::vector<std::vector<std::string>> cases = {
      {"kill"},
      {"kill", "tool"},
      {"kill", "model", "gpt-4o"},
      {"kill", "tool", std::string(257, 'x')},
      {"kill", "tool", "a\x1b"},
      {"kill", "tool", "pay\xE2\x80\x8B"},
      {"kill", "tool", "a", "--reason", std::string(257, 'x')},
      {"kill", "tool", "a", "--list"},
      {"unkill"},
      {"unkill", "tool"},
      {"audit", "--event", "refusal"},
      {"audit", "--limit", "month"},
      {"audit", "--limit", "-1"},
      {"audit", "--expect", std::string(64, '0')},
      {"audit", "--verify", "--expect", "abc"},
      {"report", "--since", "yesterday"},
      {"report", "--since", "1d", "--week"},
      {"report", "--json", "--html", "x.html"},
  };
  for (const auto& words : cases) {
    EXPECT_EQ(run(words), kExitCouldNotRun) << words[0] << ' ' << words.back();
    const std::string text = err.str();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    EXPECT_EQ(out.str(), "");
  }
  EXPECT_TRUE(open().kill_switches()->empty());
}

TEST_F(Evidence, UsageByTool) {
  UsageRow row;
  row.key = "ann";
  row.tool_calls = 3;
  add_tool(row.tools, "search");
  add_tool(row.tools, "search");
  add_tool(row.tools, "mail");
  ASSERT_TRUE(open().book(std::vector{row}, {}, {}));
  ASSERT_EQ(run({"usage", "--by", "tool", "--json"}), kExitDone) << err.str();
  EXPECT_TRUE(says(R"("tool":"search","requests":1)") && says(R"("tool_calls":2})")) << out.str();
  ASSERT_EQ(run({"usage", "--by", "tool"}), kExitDone);
  EXPECT_TRUE(says("TOOL CALLS")) << out.str();
  ASSERT_EQ(run({"usage", "--json"}), kExitDone);
  EXPECT_TRUE(says(R"("tools":"search*2,mail"})")) << out.str();
}

}  // namespace
}  // namespace weir
