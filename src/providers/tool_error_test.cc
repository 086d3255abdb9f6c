#include "providers/tool_error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "providers/request.h"

namespace weir {
namespace {

TEST(ToolErrorText, WhatBeginsAsAReportIsAnError) {
  for (const char* text : {"Error: file not found",
                           "  \n Error: x",
                           "ERROR: x",
                           "error: pathspec 'x' did not match",
                           "Error",
                           "Error!",
                           "Error 404 Not Found",
                           "Error executing tool read: no such file",
                           "Error while reading",
                           "Error - denied",
                           "Error (500)",
                           "Exception: x",
                           "Exception in thread \"main\" java.lang.X",
                           "ValueError: No events found.",
                           "requests.exceptions.HTTPError: 404 Client Error",
                           "java.io.IOException: x",
                           "KeyError: 'a'",
                           "TimeoutError",
                           "Uncaught TypeError: x is not a function",
                           "Traceback (most recent call last):\n  File",
                           "fatal: not a git repo",
                           "<error>no</error>",
                           "<tool_use_error>File does not exist.</tool_use_error>",
                           R"({"error":"not found"})",
                           R"({"error":{"code":404}})",
                           R"( {"isError":true,"content":[]})",
                           R"({"ok":false,"error":1})",
                           R"({"is_error": true})"}) {
    EXPECT_TRUE(is_error_text(text)) << text;
  }
}

TEST(ToolErrorText, WhatMerelyMentionsOneIsNone) {
  for (const char* text : {"",
                           "  ",
                           "ok",
                           "No errors found",
                           "Errors: 0",
                           "Error handling in Go is explicit.",
                           "Error logs of service A",
                           "ErrorLog.txt\nreadme.md",
                           "Error rate: 0.1%",
                           "ERROR 2024-05-01 10:00 database down\nINFO up again",
                           "ERRORS",
                           "Exceptional results",
                           "Exceptions are values.",
                           "The tool said Error: x",
                           "error handling",
                           "errors",
                           "StandardErrorX: 1",
                           "Subject: ValueError: x",
                           "a ValueError: x",
                           "ValueErrors: 3",
                           "MyError:without space",
                           R"({"error":null,"result":1})",
                           R"({"error":false})",
                           R"({"error":""})",
                           R"({"error":[]})",
                           R"({"error":"none"})",
                           R"({"result":{"error":"inner"}})",
                           R"({"text":"\"error\": x"})",
                           R"([{"error":"x"}])",
                           R"({"error":"x" broken)",
                           R"({"isError":false,"content":[{"text":"Error"}]})"}) {
    EXPECT_FALSE(is_error_text(text)) << text;
  }
}

TEST(ToolErrorText, ALongNameBeforeAColonIsNoException) {
  EXPECT_FALSE(is_error_text(std::string(1000, 'x') + "Error: y"));
}

// The truth is `is_error` of real runs, which is taken away before they are read. tau-bench marks none, but says
// "Error: …" where its own count of errors has one.
TEST(ToolErrorText, FindsTheErrorsOfRealRuns) {
  const std::string path = WEIR_SOURCE_DIR "/../shared/data/transcripts_agentdojo.jsonl";
  std::ifstream file(path);
  if (!file) GTEST_SKIP() << "no " << path;
  double found = 0, wrong = 0, missed = 0, clean = 0;
  simdjson::dom::parser parser;
  for (std::string line; std::getline(file, line);) {
    simdjson::dom::array messages;
    ASSERT_EQ(parser.parse(line)["messages"].get_array().get(messages), simdjson::SUCCESS);
    for (const simdjson::dom::element message : messages) {
      bool truth = false;
      std::string_view content;
      if (message["is_error"].get_bool().get(truth) != simdjson::SUCCESS) continue;
      ASSERT_EQ(message["content"].get_string().get(content), simdjson::SUCCESS);
      const bool told = is_error_text(content);
      (truth ? (told ? found : missed) : (told ? wrong : clean)) += 1;
    }
  }
  ASSERT_GT(found + missed, 100);
  const double precision = found / (found + wrong);
  const double recall = found / (found + missed);
  RecordProperty("precision", std::to_string(precision));
  RecordProperty("recall", std::to_string(recall));
  std::printf("precision %.4f recall %.4f (%.0f errors, %.0f results without)\n", precision, recall, found + missed,
              wrong + clean);
  EXPECT_GE(precision, 0.99);
  EXPECT_GE(recall, 0.95);
}

}  // namespace
}  // namespace weir
