#include "admin/session.h"

#include <array>

#include "admin/body.h"
#include "admin/routes.h"
#include "base/json_writer.h"

namespace weir {
namespace {

void write_instant(JsonWriter& json, std::string_view name, TimeNs at) {
  json.key(name);
  at == 0 ? json.null() : json.string(format_rfc3339(at, 3));
}

Reply open(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {"code"});
  if (!body) return admin_problem(400, body.error().message);
  const auto code = body->text("code");
  if (!code) return admin_problem(400, code.error().message);
  const AdminCaller& caller = call.request.caller;
  if (!*code && caller.role == AdminRole::kNone) return admin_problem(401, std::string(kNoCode));
  std::array<unsigned char, 24> random{};
  if (!call.host.entropy(random)) return admin_problem(503, "The system gives no random bytes; try again.");
  const std::string token = make_admin_token(random);
  AdminAccess& access = call.host.access();
  const auto session =
      *code ? access.open_session(**code, token, call.now) : access.open_session(caller, token, call.now);
  if (!session) {
    return admin_problem(401, std::string(*code ? kWrongCode : "This token ended meanwhile; sign in with another."));
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("token").string(token).key("role").string(to_string(session->role));
  json.key("name").string(session->name);
  write_instant(json, "expires_at", session->expires_at);
  json.end_object();
  return admin_json(std::move(out));
}

Reply end(AdminContext& call) {
  if (call.request.caller.session == 0) {
    return admin_problem(409, "This token is not a session's; `weir tokens revoke` ends a token.");
  }
  call.host.access().end_session(call.request.caller.session);
  return {.status = 204, .content_type = {}, .headers = {}, .body = {}};
}

Reply whoami(AdminContext& call) {
  const AdminCaller& caller = call.request.caller;
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("name").string(caller.name).key("role").string(to_string(caller.role));
  write_instant(json, "expires_at", caller.expires_at);
  json.key("version").string(call.host.health().version);
  json.key("config_version").string(call.host.rules()->policy().version).end_object();
  return admin_json(std::move(out));
}

}  // namespace

void add_session_routes(AdminRouter& router) {
  router.add({"POST", std::string(kSessionPath), AdminRole::kNone, {}, open});
  router.add({"DELETE", std::string(kSessionPath), AdminRole::kViewer, {}, end});
  router.add({"GET", "/admin/v1/whoami", AdminRole::kViewer, {}, whoami});
}

}  // namespace weir
