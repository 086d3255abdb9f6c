#include "world.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <string_view>

namespace weir::sim {
namespace {

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return out;
}

std::optional<double> real(std::string_view text) {
  double out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(out)) return std::nullopt;
  return out;
}

std::optional<std::int64_t> duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    DurationNs length;
  };
  static constexpr std::array<Unit, 7> kUnits = {{{"us", kMicrosecond},
                                                  {"ms", kMillisecond},
                                                  {"s", kSecond},
                                                  {"m", kMinute},
                                                  {"h", kHour},
                                                  {"d", kDay},
                                                  {"ns", 1}}};
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = whole(text.substr(0, digits));
  if (!count || *count > 1'000'000) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (text.substr(digits) == unit.name) return *count * unit.length;
  }
  return std::nullopt;
}

// "2026-03-29T00:30:00Z"
std::optional<TimeNs> instant(std::string_view text) {
  if (text.size() != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      text[19] != 'Z') {
    return std::nullopt;
  }
  const auto year = whole(text.substr(0, 4)), month = whole(text.substr(5, 2)), day = whole(text.substr(8, 2)),
             hour = whole(text.substr(11, 2)), minute = whole(text.substr(14, 2)), second = whole(text.substr(17, 2));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * kDay + *hour * kHour + *minute * kMinute + *second * kSecond;
}

std::optional<Range> range_of(const std::vector<std::string>& words,
                              std::optional<std::int64_t> (*read)(std::string_view)) {
  if (words.empty() || words.size() > 2) return std::nullopt;
  const auto low = read(words.front()), high = read(words.back());
  if (!low || !high || *low > *high) return std::nullopt;
  return Range{*low, *high};
}

// The first mistake of the file ends its reading.
struct Mistake {
  std::string message;
};

[[noreturn]] void wrong(const YAML::Node& at, const std::string& message) {
  throw Mistake{fmt::format("{}: {}", at.Mark().line + 1, message)};
}

std::string scalar(const YAML::Node& node, std::string_view what) {
  if (!node.IsScalar()) wrong(node, fmt::format("`{}` must be a single value", what));
  return node.Scalar();
}

std::vector<std::string> list_of(const YAML::Node& node, std::string_view what) {
  std::vector<std::string> out;
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) out.push_back(scalar(item, what));
  } else {
    out.push_back(scalar(node, what));
  }
  if (out.empty()) wrong(node, fmt::format("`{}` is an empty list", what));
  return out;
}

Settings settings_of(const YAML::Node& node, std::string_view what) {
  Settings out;
  if (node.IsNull()) return out;
  if (!node.IsMap()) wrong(node, fmt::format("`{}` must be a map of settings", what));
  for (const auto& item : node) {
    const std::string key = scalar(item.first, what);
    if (out.has(key)) wrong(item.first, fmt::format("`{}` stands twice", key));
    out.set(key, list_of(item.second, key));
  }
  return out;
}

std::int64_t number_of(const YAML::Node& node, std::string_view what) {
  const auto value = whole(scalar(node, what));
  if (!value || *value < 0) wrong(node, fmt::format("`{}` must be a whole number", what));
  return *value;
}

Range hours_of(const YAML::Node& node) {
  const std::vector<std::string> words = list_of(node, "hours");
  const auto low = real(words.front()), high = real(words.back());
  if (words.size() > 2 || !low || !high || *low <= 0 || *high < *low) {
    wrong(node, "`hours` must be a number above 0, or two with the smaller one first");
  }
  const auto ns = [](double hours) { return std::llround(hours * 3600) * kSecond; };
  return {ns(*low), ns(*high)};
}

std::vector<TimeNs> starts_of(const YAML::Node& node) {
  std::vector<TimeNs> out;
  for (const std::string& word : list_of(node, "start")) {
    const auto at = instant(word);
    if (!at) wrong(node, fmt::format("`{}` is not an instant; write it as 2026-03-29T00:30:00Z", word));
    out.push_back(*at);
  }
  return out;
}

KeySpec key_of(const YAML::Node& node) {
  if (!node.IsMap()) wrong(node, "a key must be a map with a `name`");
  KeySpec out;
  for (const auto& item : node) {
    const std::string key = scalar(item.first, "keys");
    Consumer& consumer = out.consumer;
    if (key == "count") {
      out.count = static_cast<int>(number_of(item.second, key));
      continue;
    }
    const std::string value = scalar(item.second, key);
    if (key == "name") {
      consumer.name = value;
    } else if (key == "tenant") {
      consumer.tenant = value;
    } else if (key == "user") {
      consumer.user = value;
    } else if (key == "tier") {
      consumer.tier = value;
    } else if (key == "metadata") {
      consumer.metadata_json = value;
    } else if (key == "kind") {
      if (value != "agent" && value != "human" && value != "service") wrong(item.second, "no such kind of key");
      consumer.kind = value == "agent"   ? ConsumerKind::kAgent
                      : value == "human" ? ConsumerKind::kHuman
                                         : ConsumerKind::kService;
    } else {
      wrong(item.first, fmt::format("`{}` is no setting of a key", key));
    }
  }
  if (out.consumer.name.empty()) wrong(node, "a key needs a `name`");
  return out;
}

LinkOptions link_of(const YAML::Node& node) {
  const Settings settings = settings_of(node, "links");
  LinkOptions out;
  const Range latency = settings.durations("latency", {out.latency_min, out.latency_max});
  out.latency_min = latency.first;
  out.latency_max = latency.second;
  out.loss_permille = settings.number("loss", out.loss_permille);
  out.segment = static_cast<std::size_t>(settings.number("segment", static_cast<std::int64_t>(out.segment)));
  out.window = static_cast<std::size_t>(settings.number("window", static_cast<std::int64_t>(out.window)));
  if (!settings.unread().empty()) wrong(node, fmt::format("`{}` is no setting of a link", settings.unread().front()));
  return out;
}

void read_links(const YAML::Node& node, World& world) {
  if (!node.IsMap()) wrong(node, "`links` must be a map by two places");
  for (const auto& item : node) {
    const std::string places = scalar(item.first, "links");
    const std::size_t space = places.find(' ');
    if (space == std::string::npos) wrong(item.first, "a link is named by two places, as in `clients weir`");
    world.links[{places.substr(0, space), places.substr(space + 1)}] = link_of(item.second);
  }
}

void read_faults(const YAML::Node& node, World& world) {
  if (!node.IsMap()) wrong(node, "`faults` must be a map of numbers per hour");
  for (const auto& item : node) {
    const std::string name = scalar(item.first, "faults");
    const auto times = real(scalar(item.second, name));
    if (!times || *times < 0) wrong(item.second, fmt::format("`{}` must be a number per hour", name));
    world.faults[name] = std::llround(*times * 1000);
  }
}

void read_weir(const YAML::Node& node, World& world) {
  world.weir = settings_of(node, "weir");
  world.workers = static_cast<int>(world.weir.number("workers", 1));
  const std::string counters = world.weir.word("counters", "local");
  if (counters != "local" && counters != "late") wrong(node, "`counters` are local or late");
  world.late_counters = counters == "late";
  if (world.workers < 1 || world.workers > 64) wrong(node, "`workers` are 1 to 64");
}

void read_checks(const YAML::Node& node, World& world) {
  const Settings settings = settings_of(node, "checks");
  world.without = settings.words("without");
  if (!settings.unread().empty()) wrong(node, "`checks` knows only `without`");
}

// What a client has to know of its key: whose it is, and whether it may speak for others.
void introduce(const World& world, Settings& client, std::size_t index) {
  const std::string key = client.word("key", client.word("keys", ""));
  for (const KeySpec& spec : world.keys) {
    if (spec.consumer.name != key) continue;
    if (!client.has("tenant")) client.set("tenant", {spec.consumer.tenant});
    if (!client.has("key_kind")) client.set("key_kind", {to_string(spec.consumer.kind)});
  }
  if (!client.has("name")) client.set("name", {fmt::format("{}-{}", client.word("kind", "client"), index)});
}

void read_member(const std::string& key, const YAML::Node& value, World& world) {
  if (key == "name") {
    world.name = scalar(value, key);
  } else if (key == "hours") {
    world.hours_ns = hours_of(value);
  } else if (key == "start") {
    world.starts = starts_of(value);
  } else if (key == "weir") {
    read_weir(value, world);
  } else if (key == "policy") {
    world.policy = scalar(value, key);
  } else if (key == "policies") {
    world.policies = list_of(value, key);
  } else if (key == "keys") {
    if (!value.IsSequence()) wrong(value, "`keys` must be a list");
    for (const YAML::Node& item : value) world.keys.push_back(key_of(item));
  } else if (key == "providers") {
    if (!value.IsMap()) wrong(value, "`providers` must be a map by place");
    for (const auto& item : value) {
      const std::string place = scalar(item.first, key);
      world.providers[place] = settings_of(item.second, place);
    }
  } else if (key == "clients") {
    if (!value.IsSequence()) wrong(value, "`clients` must be a list");
    for (const YAML::Node& item : value) world.clients.push_back(settings_of(item, "clients"));
  } else if (key == "links") {
    read_links(value, world);
  } else if (key == "faults") {
    read_faults(value, world);
  } else if (key == "checks") {
    read_checks(value, world);
  } else {
    wrong(value, fmt::format("`{}` is no part of a world", key));
  }
}

}  // namespace

std::int64_t Settings::number(const std::string& key, std::int64_t otherwise) const {
  return range(key, {otherwise, otherwise}).first;
}

Range Settings::range(const std::string& key, Range otherwise) const {
  const auto found = words_.find(key);
  if (found == words_.end()) return otherwise;
  const auto value = range_of(found->second.words, whole);
  found->second.read = value.has_value();  // what cannot be read counts as unread, and is told there
  return value.value_or(otherwise);
}

Range Settings::durations(const std::string& key, Range otherwise) const {
  const auto found = words_.find(key);
  if (found == words_.end()) return otherwise;
  const auto value = range_of(found->second.words, duration);
  found->second.read = value.has_value();
  return value.value_or(otherwise);
}

std::string Settings::word(const std::string& key, const std::string& otherwise) const {
  const auto found = words_.find(key);
  if (found == words_.end()) return otherwise;
  found->second.read = found->second.words.size() == 1;
  return found->second.words.front();
}

std::vector<std::string> Settings::words(const std::string& key) const {
  const auto found = words_.find(key);
  if (found == words_.end()) return {};
  found->second.read = true;
  return found->second.words;
}

std::vector<std::string> Settings::unread() const {
  std::vector<std::string> out;
  for (const auto& [key, value] : words_) {
    if (!value.read) out.push_back(key);
  }
  return out;
}

Result<World> load_world(const std::string& file) {
  World world;
  world.file = file;
  try {
    const YAML::Node root = YAML::LoadFile(file);
    if (!root.IsMap()) return fail(fmt::format("{}: a world is a map", file));
    for (const auto& item : root) read_member(scalar(item.first, "world"), item.second, world);
  } catch (const Mistake& mistake) {
    return fail(fmt::format("{}:{}", file, mistake.message));
  } catch (const YAML::Exception& error) {
    return fail(fmt::format("{}: {}", file, error.what()));
  }
  if (world.name.empty()) return fail(fmt::format("{}: a world needs a `name`", file));
  for (std::size_t i = 0; i < world.clients.size(); ++i) introduce(world, world.clients[i], i);
  return world;
}

}  // namespace weir::sim
