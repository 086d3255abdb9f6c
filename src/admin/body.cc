#include "admin/body.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <map>

#include "records/metadata.h"

namespace weir {

struct AdminBody::Impl {
  simdjson::dom::parser parser;
  std::map<std::string, simdjson::dom::element, std::less<>> members;
};

AdminBody::AdminBody(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminBody::~AdminBody() = default;
AdminBody::AdminBody(AdminBody&&) noexcept = default;

Result<AdminBody> AdminBody::read(std::string_view body, std::initializer_list<std::string_view> known) {
  auto impl = std::make_unique<Impl>();
  if (body.empty()) return AdminBody(std::move(impl));
  simdjson::dom::object members;
  if (impl->parser.parse(body.data(), body.size()).get_object().get(members) != simdjson::SUCCESS) {
    return fail("The body must be one JSON object in UTF-8.");
  }
  for (const auto [name, value] : members) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string all;
      for (const std::string_view each : known) all += fmt::format("{}`{}`", all.empty() ? "" : ", ", each);
      // It is not named: a secret may have slipped into its place.
      return fail(fmt::format("The body has a member that is not known; {}.",
                              known.size() == 0 ? "this call takes none" : "known are " + all));
    }
    if (!impl->members.emplace(name, value).second) return fail(fmt::format("The member `{}` stands twice.", name));
  }
  return AdminBody(std::move(impl));
}

bool AdminBody::has(std::string_view name) const {
  return impl_->members.contains(name);
}

Result<std::optional<std::string>> AdminBody::text(std::string_view name, std::size_t most, bool lines) const {
  const auto found = impl_->members.find(name);
  if (found == impl_->members.end() || found->second.is_null()) return std::nullopt;
  std::string_view text;
  if (found->second.get_string().get(text) != simdjson::SUCCESS) return fail(fmt::format("`{}` must be a text.", name));
  if (text.size() > most) return fail(fmt::format("`{}` must be a text of at most {} bytes.", name, most));
  if (!lines && !is_plain_value(text)) {
    return fail(fmt::format("`{}` must be a text of at most 256 bytes without control characters.", name));
  }
  return std::string(text);
}

Result<std::optional<std::int64_t>> AdminBody::number(std::string_view name, std::int64_t least,
                                                      std::int64_t most) const {
  const auto found = impl_->members.find(name);
  if (found == impl_->members.end() || found->second.is_null()) return std::nullopt;
  std::int64_t value = 0;
  if (found->second.get_int64().get(value) != simdjson::SUCCESS || value < least || value > most) {
    return fail(fmt::format("`{}` must be a whole number from {} to {}.", name, least, most));
  }
  return value;
}

std::optional<std::string> AdminBody::json(std::string_view name) const {
  const auto found = impl_->members.find(name);
  if (found == impl_->members.end()) return std::nullopt;
  return std::string(simdjson::minify(found->second));
}

std::string minified(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element whole;
  return parser.parse(body).get(whole) == simdjson::SUCCESS ? simdjson::minify(whole) : std::string("{}");
}

}  // namespace weir
