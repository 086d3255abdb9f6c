// GET /admin/v1/events: what happens, as server-sent events, from the worker that has the client.
#include <optional>
#include <utility>

#include "admin/observer.h"
#include "api/endpoints.h"
#include "base/secret.h"

namespace weir {
namespace {

constexpr std::string_view kRetryMs = "retry: 2000\n\n";

Reply unavailable(std::string message, const char* seconds) {
  Reply reply = admin_problem(503, std::move(message));
  append_header(reply.headers, "retry-after", seconds);
  return reply;
}

std::optional<DecisionEvent::What> what_from(std::string_view word) {
  for (int i = 0; i <= static_cast<int>(DecisionEvent::What::kStripped); ++i) {
    const auto what = static_cast<DecisionEvent::What>(i);
    if (word == to_string(what)) return what;
  }
  return std::nullopt;
}

Result<std::uint32_t> read_only(std::string_view words) {
  std::uint32_t only = 0;
  for (;;) {
    const std::size_t comma = words.find(',');
    const std::string_view word = words.substr(0, comma);
    const auto what = what_from(word);
    if (!what) {
      return fail("`only` names `" + std::string(word) +
                  "`; it takes admitted, settled, refused, broken, rejected, warned, degraded and stripped, separated "
                  "by commas.");
    }
    only |= 1u << static_cast<unsigned>(*what);
    if (comma == std::string_view::npos) return only;
    words.remove_prefix(comma + 1);
  }
}

Result<WatchFilter> read_filter(std::string_view query) {
  static const std::vector<std::string> kKnown = {"only", "key", "tier", "model", "layer", "limit", "most"};
  const Result<AdminQuery> asked = AdminQuery::read(query, kKnown);
  if (!asked) return std::unexpected(asked.error());
  const Result<std::int64_t> most = asked->number("most", 1, kMaxWatchedPerSecond, kMaxWatchedPerSecond);
  if (!most) return std::unexpected(most.error());
  WatchFilter filter{.most = *most,
                     .key = asked->text("key"),
                     .tier = asked->text("tier"),
                     .model = asked->text("model"),
                     .layer = asked->text("layer"),
                     .limit = asked->text("limit")};
  if (asked->has("only")) {
    const Result<std::uint32_t> only = read_only(asked->text("only"));
    if (!only) return std::unexpected(only.error());
    filter.only = *only;
  }
  return filter;
}

}  // namespace

void Api::watch(Services& services, const OwnRequest& request, ReplyEvents& events) {
  if (options_.observer == nullptr || services.health->draining.load(std::memory_order_relaxed)) {
    return events.on_reply(unavailable("The server is ending; watch again when it is back.", "5"));
  }
  Result<WatchFilter> filter = read_filter(request.head.query);
  if (!filter) return events.on_reply(admin_problem(400, filter.error().message));
  const std::uint64_t ticket = open_ticket(events);
  auto load = std::make_shared<WatchLoad>();
  auto token = std::make_shared<const Secret>(std::string(presented_key(request.head.headers)));
  const auto write = [this, &services, ticket, load, token](const Watchers::Text& text, std::size_t decisions) {
    load->posted.fetch_sub(1);
    const auto found = tickets_.find(ticket);
    if (found == tickets_.end()) return;  // the client is gone
    ReplyEvents& to = *found->second.events;
    // Whose token is taken back sees no more.
    if (decisions == 0 && options_.access->caller_of(token->reveal(), services.now).role == AdminRole::kNone) {
      forget(to);
      to.end_stream();
    } else if (!to.on_piece(*text)) {
      load->missed.fetch_add(static_cast<std::int64_t>(decisions));
    }
  };
  const auto send = [router = router_, origin = shard_, write](Watchers::Text text, std::size_t decisions) {
    if (router == nullptr) return write(text, decisions);
    router->post(origin, [write, text = std::move(text), decisions] { write(text, decisions); });
  };
  const std::uint64_t watcher = options_.observer->watchers().add(std::move(*filter), load, send);
  if (watcher == 0) {
    close_ticket(events);
    return events.on_reply(unavailable("There are 64 watchers already, which is the most; close some.", "30"));
  }
  tickets_[ticket].watcher = watcher;
  events.on_stream({.status = 200,
                    .content_type = "text/event-stream; charset=utf-8",
                    .headers = {},
                    .body = std::string(kRetryMs)});
}

void Api::close_ticket(ReplyEvents& events) {
  const auto ticket = ticket_of_.extract(&events);
  if (ticket.empty()) return;
  const auto closed = tickets_.extract(ticket.mapped());
  if (closed.mapped().watcher != 0) options_.observer->watchers().remove(closed.mapped().watcher);
}

}  // namespace weir
