// The cases of tests/e2e/bad_input_cases.json that the codec alone must refuse, with a status the list allows.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "gateway/http1_test_util.h"

namespace weir {
namespace {

// The list writes bytes as Latin-1 characters.
std::string bytes_of(std::string_view utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) {
      out += utf8[i];
    } else {
      const auto next = static_cast<unsigned char>(utf8[++i]);
      out += static_cast<char>((c & 0x03) << 6 | (next & 0x3F));
    }
  }
  return out;
}

std::string text_of(simdjson::dom::element raw) {
  std::string text;
  const simdjson::dom::array parts = raw.get_array().value_unsafe();
  for (const simdjson::dom::element part : parts) {
    std::string_view plain;
    simdjson::dom::array repeat;
    if (part.get_string().get(plain) == simdjson::SUCCESS) {
      text += bytes_of(plain);
    } else if (part["repeat"].get_array().get(repeat) == simdjson::SUCCESS) {
      const std::string once = bytes_of(repeat.at(0).get_string().value_unsafe());
      for (std::int64_t n = repeat.at(1).get_int64().value_unsafe(); n > 0; --n) text += once;
    }
  }
  return text;
}

bool is_about_the_codec(std::string_view name) {
  constexpr std::array<std::string_view, 7> kGroups{
      "framing: ", "bare line feed: ", "bare carriage return: ", "folded header: ", "request line: ",
      "header: ",  "oversized: "};
  return std::any_of(kGroups.begin(), kGroups.end(), [&](std::string_view group) { return name.starts_with(group); });
}

TEST(BadInputCases, TheCodecRefusesWhatIsItsToRefuse) {
  simdjson::dom::parser json;
  simdjson::dom::array cases;
  ASSERT_EQ(json.load(WEIR_SOURCE_DIR "/tests/e2e/bad_input_cases.json").get_array().get(cases), simdjson::SUCCESS);
  int checked = 0;
  for (const simdjson::dom::element item : cases) {
    const std::string_view name = item["name"].get_string().value_unsafe();
    const std::string text = text_of(item["raw"]);
    if (name.starts_with("control: ")) {
      EXPECT_NE(run_requests({text}).find(" complete\n"), std::string::npos) << name;
    }
    if (!is_about_the_codec(name)) continue;
    ++checked;
    std::vector<std::string> allowed;
    const simdjson::dom::array statuses = item["expect"].get_array().value_unsafe();
    for (const simdjson::dom::element status : statuses) {
      allowed.push_back("fault " + simdjson::to_string(status) + " ");
    }
    const std::string got = run_requests({text});
    EXPECT_TRUE(std::any_of(allowed.begin(), allowed.end(), [&](const auto& start) { return got.starts_with(start); }))
        << name << "\n-> " << got.substr(0, 200);
    if (text.size() > 100'000) continue;
    EXPECT_EQ(got, run_requests(byte_by_byte(text))) << name;
  }
  EXPECT_GT(checked, 70);
}

}  // namespace
}  // namespace weir
