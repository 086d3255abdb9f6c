// One table says which keys exist. These tests hold the loader, the schema and the documents to it.
#include <simdjson.h>

#include <fstream>
#include <set>
#include <sstream>

#include "policy/keys.h"
#include "policy/test_policy.h"

namespace weir {
namespace {

std::set<std::string> properties_of(const simdjson::dom::element& section) {
  std::set<std::string> out;
  const simdjson::dom::object properties = section["properties"].get_object();
  for (const auto& field : properties) out.emplace(field.key);
  return out;
}

std::set<std::string> table_keys(std::string_view section) {
  const auto keys = keys_of(section);
  return {keys.begin(), keys.end()};
}

// A section as the schema calls it.
std::string named(std::string_view section) {
  std::string out(section);
  for (char& c : out) c = c == ' ' ? '_' : c;
  return out;
}

TEST(SchemaTest, ListsExactlyTheKeysOfTheTable) {
  simdjson::dom::parser parser;
  const simdjson::padded_string text(policy_schema());
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(text).get(root), simdjson::SUCCESS) << policy_schema();
  EXPECT_EQ(root["$schema"].get_string().value(), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(properties_of(root), table_keys(""));
  std::map<std::string, std::string_view> sections;
  for (const KeySpec& spec : policy_keys()) {
    if (!spec.section.empty()) sections[named(spec.section)] = spec.section;
  }
  std::size_t found = 0;
  const simdjson::dom::object definitions = root["$defs"].get_object();
  for (const auto& section : definitions) {
    const std::string name(section.key);
    ASSERT_TRUE(sections.contains(name)) << name;
    EXPECT_EQ(properties_of(section.value), table_keys(sections[name])) << name;
    EXPECT_FALSE(section.value["additionalProperties"].get_bool().value());
    ++found;
  }
  EXPECT_EQ(found, sections.size());
}

void collect_references(const simdjson::dom::element& value, std::set<std::string>& out) {
  if (value.is_object()) {
    const simdjson::dom::object fields = value.get_object();
    for (const auto& field : fields) {
      if (field.key == "$ref") out.emplace(field.value.get_string().value());
      collect_references(field.value, out);
    }
  } else if (value.is_array()) {
    const simdjson::dom::array items = value.get_array();
    for (const simdjson::dom::element item : items) collect_references(item, out);
  }
}

TEST(SchemaTest, EveryReferenceHasATarget) {
  simdjson::dom::parser parser;
  const simdjson::padded_string text(policy_schema());
  const simdjson::dom::element root = parser.parse(text).value();
  std::set<std::string> references;
  collect_references(root, references);
  EXPECT_GT(references.size(), 10u);
  for (const std::string& reference : references) {
    EXPECT_EQ(root.at_pointer(reference.substr(1)).error(), simdjson::SUCCESS) << reference;
  }
}

TEST(KeyTableTest, EveryKeyIsDocumented) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/docs/configuration.md");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string docs = text.str();
  ASSERT_FALSE(docs.empty());
  for (const KeySpec& spec : policy_keys()) {
    EXPECT_NE(docs.find("`" + std::string(spec.key) + "`"), std::string::npos) << spec.section << " " << spec.key;
  }
}

TEST(KeyTableTest, ExamplesOfTheDocumentLoad) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/docs/configuration.md");
  std::string line;
  std::string example;
  bool inside = false;
  int examples = 0;
  while (std::getline(file, line)) {
    if (line == "```yaml") {
      inside = true;
      example.clear();
    } else if (line == "```" && inside) {
      inside = false;
      ++examples;
      const LoadedPolicy loaded = load(example);
      EXPECT_TRUE(loaded.policy) << example << problems(loaded);
    } else if (inside) {
      example += line + "\n";
    }
  }
  EXPECT_GT(examples, 10);
}

// The table against the loader: a key that the table lists and nothing reads would stop the process (checked in
// Section::finish), and a key of a later version must be refused by name wherever it stands.
TEST(KeyTableTest, LaterKeysAreRefusedEverywhere) {
  const std::map<std::string_view, std::string> frames = {
      {"", "@"}, {"limit", "limits: [{ name: a, per: key, meter: usd, allow: 1/day, @ }]"}};
  int later = 0;
  for (const KeySpec& spec : policy_keys()) {
    if (!spec.later) continue;
    ++later;
    ASSERT_TRUE(frames.contains(spec.section)) << spec.section;
    std::string text = frames.at(spec.section);
    text.replace(text.find('@'), 1, std::string(spec.key) + ": x");
    const LoadedPolicy loaded = load(text);
    EXPECT_FALSE(loaded.policy);
    ASSERT_EQ(loaded.diagnostics.size(), 1u) << problems(loaded);
    EXPECT_EQ(loaded.diagnostics[0].message, "`" + std::string(spec.key) + "` is not available in this version");
  }
  EXPECT_GE(later, 10);
}

}  // namespace
}  // namespace weir
