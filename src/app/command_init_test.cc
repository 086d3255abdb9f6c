// weir init: what it writes, what it leaves alone; and that every template is a policy without a fault or a warning.
#include "app/command_init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/templates.h"
#include "base/strings.h"
#include "journal/test_support.h"
#include "policy/policy.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Init : public testing::Test {
 protected:
  int run(InitCommand command) {
    out.str("");
    err.str("");
    return run_init(command, context);
  }
  std::string path(const std::string& name) const { return dir / name; }

  TempDir dir;
  std::ostringstream out, err;
  CommandContext context{
      .data_of_config = nullptr, .now = [] { return TimeNs{0}; }, .entropy = nullptr, .out = &out, .err = &err};
};

TEST_F(Init, WritesTheTemplateAndSaysWhatIsNext) {
  ASSERT_EQ(run({.name = "salon", .output = path("weir.yaml")}), kExitDone) << err.str();
  EXPECT_EQ(read(path("weir.yaml")), find_template("salon")->text);
  EXPECT_NE(out.str().find("weir serve -c " + path("weir.yaml")), std::string::npos);
  ASSERT_EQ(run({.output = path("other.yaml")}), kExitDone);
  EXPECT_EQ(read(path("other.yaml")), starter_template().text);
}

TEST_F(Init, StandardOutputGetsTheTemplateAndNothingElse) {
  ASSERT_EQ(run({.name = "batch", .output = "-"}), kExitDone);
  EXPECT_EQ(out.str(), find_template("batch")->text);
}

TEST_F(Init, AFileThatIsThereStaysUnlessForced) {
  std::ofstream(path("weir.yaml")) << "mine";
  EXPECT_EQ(run({.name = "salon", .output = path("weir.yaml")}), kExitNo);
  EXPECT_EQ(read(path("weir.yaml")), "mine");
  EXPECT_NE(err.str().find("--force"), std::string::npos) << err.str();
  EXPECT_EQ(std::ranges::count(err.str(), '\n'), 1);
  ASSERT_EQ(run({.name = "salon", .output = path("weir.yaml"), .force = true}), kExitDone) << err.str();
  EXPECT_EQ(read(path("weir.yaml")), find_template("salon")->text);
  EXPECT_EQ(std::distance(fs::directory_iterator(path("")), fs::directory_iterator()), 1) << "nothing else is left";
}

TEST_F(Init, ALinkStaysALinkAlsoOneThatLeadsNowhere) {
  std::ofstream(path("real.yaml")) << "mine";
  fs::create_symlink("real.yaml", path("link.yaml"));
  EXPECT_EQ(run({.output = path("link.yaml")}), kExitNo);
  ASSERT_EQ(run({.output = path("link.yaml"), .force = true}), kExitDone) << err.str();
  EXPECT_TRUE(fs::is_symlink(path("link.yaml")));
  EXPECT_EQ(read(path("real.yaml")), starter_template().text);
  fs::create_symlink("absent.yaml", path("broken.yaml"));
  EXPECT_EQ(run({.output = path("broken.yaml")}), kExitNo);
  EXPECT_EQ(run({.output = path("broken.yaml"), .force = true}), kExitCouldNotRun);
  EXPECT_TRUE(fs::is_symlink(path("broken.yaml")));
}

TEST_F(Init, FoldersDevicesAndPlacesThatCannotBeWrittenAreRefused) {
  EXPECT_EQ(run({.output = path(""), .force = true}), kExitNo);
  EXPECT_NE(err.str().find("folder"), std::string::npos);
  EXPECT_EQ(run({.output = "/dev/null", .force = true}), kExitNo);
  EXPECT_FALSE(fs::is_regular_file("/dev/null"));
  EXPECT_EQ(run({.output = path("no/such/folder.yaml")}), kExitCouldNotRun);
  EXPECT_NE(err.str().find("cannot write"), std::string::npos);
}

TEST_F(Init, AnUnknownTemplateIsAnsweredWithTheNearest) {
  EXPECT_EQ(run({.name = "helthcare", .output = path("weir.yaml")}), kExitNo);
  EXPECT_NE(err.str().find("did you mean healthcare?"), std::string::npos) << err.str();
  EXPECT_EQ(run({.name = "", .output = path("weir.yaml")}), kExitNo) << "an empty name is no choice";
  EXPECT_FALSE(fs::exists(path("weir.yaml")));
}

TEST(Templates, AreTheFilesOfTheFolder) {
  std::set<std::string> files, names{"starter"};
  for (const auto& entry : fs::directory_iterator(WEIR_SOURCE_DIR "/src/app/templates"))
    files.insert(entry.path().stem().string());
  for (const Template& known : policy_templates()) {
    names.emplace(known.name);
    EXPECT_EQ(known.text, read(WEIR_SOURCE_DIR "/src/app/templates/" + std::string(known.name) + ".yaml"));
  }
  EXPECT_EQ(files, names);
}

std::vector<Template> all_templates() {
  const auto named = policy_templates();
  std::vector<Template> all(named.begin(), named.end());
  all.push_back(starter_template());
  return all;
}

TEST(Templates, AreShortEnoughToRead) {
  for (const Template& known : all_templates()) {
    const auto lines = std::ranges::count(known.text, '\n');
    EXPECT_TRUE(lines >= 40 && lines <= 90) << known.name << " has " << lines;
    EXPECT_LE(known.summary().size(), 100u) << known.name;
    for (std::string_view rest = known.text; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
      EXPECT_LE(rest.find('\n'), 120u) << known.name << ": " << rest.substr(0, rest.find('\n'));
    }
  }
}

// With the credentials of all providers, of one, and of none: the same file must serve on any machine.
TEST(Templates, LoadWithoutAnErrorOrAWarning) {
  const std::vector<std::set<std::string_view>> environments = {
      {}, {"OPENAI_API_KEY"}, {"ANTHROPIC_API_KEY"}, {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"}};
  for (const Template& known : all_templates()) {
    for (const auto& set : environments) {
      const LoadedPolicy loaded = load_policy(known.text, known.name.data(), [&](std::string_view name) {
        return set.contains(name) ? std::optional<std::string>("a-credential") : std::nullopt;
      });
      for (const Diagnostic& fault : loaded.diagnostics) ADD_FAILURE() << known.name << ": " << to_string(fault);
      ASSERT_NE(loaded.policy, nullptr) << known.name;
      EXPECT_TRUE(std::ranges::any_of(
          loaded.policy->limits, [](const LimitRule& limit) { return limit.meter_name == "usd" && !limit.shadow; }))
          << known.name << " bounds no dollars";
    }
  }
}

}  // namespace
}  // namespace weir
