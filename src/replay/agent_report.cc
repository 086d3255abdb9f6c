#include "replay/agent_report.h"

#include "base/json_writer.h"

namespace weir {

void append_judged(std::string& out, const JudgedEvent& judged) {
  JsonWriter w(out);
  const auto text = [&](std::string_view key, std::string_view value) {
    w.key(key);
    value.empty() ? w.null() : w.string(value);
  };
  w.begin_object().key("trace").string(judged.trace).key("step").number(judged.step);
  text("tool", judged.tool);
  w.key("decision").string(to_string(judged.decision));
  text("guard", judged.guard);
  text("why", judged.why);
  w.end_object();
  out += '\n';
}

std::string summary_json(const AgentSummary& summary, std::string_view note) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("traces").number(summary.traces).key("events").number(summary.events);
  w.key("allow").number(summary.allowed).key("warn").number(summary.warned).key("break").number(summary.broken);
  w.key("refuse").number(summary.refused).key("anomaly").number(summary.anomalies);
  if (!note.empty()) w.key("note").string(note);
  w.end_object();
  return out;
}

}  // namespace weir
