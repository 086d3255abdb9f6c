#include "providers/tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "words.h"

namespace weir::sim::provider {
namespace {

Script whole(DurationNs wait, int status, std::string body) {
  Script script;
  script.status = status;
  script.steps.push_back({.wait = wait, .bytes = std::move(body)});
  return script;
}

Script rpc_error(DurationNs wait, int status, const std::string& id, int code, std::string_view words) {
  return whole(wait, status,
               fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{{"code":{},"message":"{}"}}}})",
                           id.empty() ? "null" : id, code, words));
}

}  // namespace

Script ToolServer::answer(const Question& question, bool good) {
  return question.operation == Operation::kMcp ? mcp(question, good) : http(question);
}

Script ToolServer::initialize(const Question& question) {
  const std::string session = fmt::format("session-{}", next_session_++);
  sessions_.push_back(session);
  if (sessions_.size() > kMaxSessions) sessions_.pop_front();
  Script script =
      whole(5 * kMillisecond, 200,
            fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{{"protocolVersion":"2025-06-18",)"
                        R"("capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"crm","version":"1"}}}}}})",
                        question.rpc_id));
  script.headers.emplace_back("Mcp-Session-Id", session);
  return script;
}

std::string ToolServer::result(const Question& question, const std::string& id, bool good) {
  if (question.rpc_method == "tools/list") {
    std::string list;
    for (const std::string& tool : tools_) {
      list += fmt::format(R"({}{{"name":{},"description":"A tool.","inputSchema":{{"type":"object"}}}})",
                          list.empty() ? "" : ",", json_string(tool));
    }
    return fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{{"tools":[{}]}}}})", id, list);
  }
  const bool bad = !good && random_.permille(tool_errors_);
  return fmt::format(
      R"({{"jsonrpc":"2.0","id":{},"result":{{"content":[{{"type":"text","text":"{} {}"}}],"isError":{}}}}})", id,
      bad ? "It did not work:" : "Found", random_.below(1000), bad);
}

Script ToolServer::mcp(const Question& question, bool good) {
  const DurationNs wait = random_.between(first_byte_.first, first_byte_.second);
  if (question.method == "DELETE") {
    std::erase(sessions_, question.session);
    return whole(kMillisecond, 200, {});
  }
  if (question.method != "POST") return whole(kMillisecond, 405, {});
  if (question.rpc_method == "initialize") return initialize(question);
  if (!question.session.empty() && std::ranges::find(sessions_, question.session) == sessions_.end()) {
    return rpc_error(kMillisecond, 404, question.rpc_id, -32600, "No such session.");
  }
  if (question.rpc_id.empty()) return whole(kMillisecond, 202, {});
  if (question.rpc_method != "tools/list" && question.rpc_method != "tools/call") {
    return rpc_error(kMillisecond, 404, question.rpc_id, -32601, "No such method.");
  }
  std::string body;
  for (const std::string& id : question.batch) body += (body.empty() ? "[" : ",") + result(question, id, good);
  body = body.empty() ? result(question, question.rpc_id, good) : body + "]";
  if (!question.events_wanted || !question.batch.empty() || random_.permille(500)) {
    return whole(wait, 200, std::move(body));
  }
  Script script;
  script.chunked = true;
  script.type = "text/event-stream";
  if (random_.permille(500)) {
    script.steps.push_back(
        {.wait = wait / 2,
         .bytes = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":"
                  "{\"level\":\"info\",\"data\":\"working\"}}\n\n"});
  }
  script.steps.push_back({.wait = wait, .bytes = "event: message\ndata: " + body + "\n\n"});
  return script;
}

Script ToolServer::http(const Question& question) {
  const std::int64_t rows = random_.between(1, 40);
  Script script = whole(random_.between(first_byte_.first, first_byte_.second), 200,
                        fmt::format(R"({{"ok":true,"path":{},"meta":{{"rows":{}}}}})",
                                    json_string(question.target.substr(0, question.target.find('?'))), rows));
  script.headers.emplace_back("X-Compute-Units", std::to_string(random_.between(1, 20)));
  return script;
}

}  // namespace weir::sim::provider
