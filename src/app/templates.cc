#include "app/templates.h"

#include <algorithm>
#include <array>

namespace weir {

// Generated from the files by weir_embed() in CMakeLists.txt.
extern const char kTemplate_starter[];
extern const char kTemplate_chat_widget[];
extern const char kTemplate_api_for_agents[];
extern const char kTemplate_internal_gateway[];
extern const char kTemplate_mcp_guard[];
extern const char kTemplate_conversational[];
extern const char kTemplate_batch[];
extern const char kTemplate_autonomous[];
extern const char kTemplate_healthcare[];
extern const char kTemplate_salon[];
extern const char kTemplate_saas[];
extern const char kTemplate_hospitality[];
extern const char kTemplate_real_estate[];
extern const char kTemplate_home_services[];

std::string_view Template::summary() const {
  constexpr std::string_view kSign = "# ";
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.starts_with(kSign)) line.remove_prefix(kSign.size());
  return line;
}

std::span<const Template> policy_templates() {
  static const std::array<Template, 13> kTemplates = {{
      {"chat-widget", kTemplate_chat_widget},
      {"api-for-agents", kTemplate_api_for_agents},
      {"internal-gateway", kTemplate_internal_gateway},
      {"mcp-guard", kTemplate_mcp_guard},
      {"conversational", kTemplate_conversational},
      {"batch", kTemplate_batch},
      {"autonomous", kTemplate_autonomous},
      {"healthcare", kTemplate_healthcare},
      {"salon", kTemplate_salon},
      {"saas", kTemplate_saas},
      {"hospitality", kTemplate_hospitality},
      {"real-estate", kTemplate_real_estate},
      {"home-services", kTemplate_home_services},
  }};
  return kTemplates;
}

const Template* find_template(std::string_view name) {
  const auto all = policy_templates();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Template& t) { return t.name == name; });
  return found == all.end() ? nullptr : &*found;
}

const Template& starter_template() {
  static const Template kStarter{"starter", kTemplate_starter};
  return kStarter;
}

}  // namespace weir
