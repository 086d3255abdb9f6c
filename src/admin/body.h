// The body of an admin call: one JSON object whose members are all known, each at most once.
//
//   auto body = AdminBody::read(request.body, {"tenant", "tier"});
//   if (!body) return admin_problem(400, body.error().message);
//   Result<std::optional<std::string>> tier = body->text("tier");
//
// Belongs to one thread; values may be read while it lives.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

class AdminBody {
 public:
  // An empty body is an empty object.
  static Result<AdminBody> read(std::string_view body, std::initializer_list<std::string_view> known);
  ~AdminBody();
  AdminBody(AdminBody&&) noexcept;

  bool has(std::string_view name) const;
  // Nothing if it is absent or null; an error if it is no text, longer than `most` bytes or, unless `lines`, has
  // control characters.
  Result<std::optional<std::string>> text(std::string_view name, std::size_t most = 256, bool lines = false) const;
  Result<std::optional<std::int64_t>> number(std::string_view name, std::int64_t least, std::int64_t most) const;
  // The member as JSON on one line; nothing if it is absent.
  std::optional<std::string> json(std::string_view name) const;

 private:
  struct Impl;
  explicit AdminBody(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A body that AdminBody read, as JSON on one line.
std::string minified(const std::string& body);

}  // namespace weir
