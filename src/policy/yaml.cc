#include "policy/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "base/strings.h"

namespace weir {
namespace {

constexpr std::size_t kMaxScalar = 64 << 10;

struct Stop {};  // thrown by the builder through yaml-cpp and caught in parse_yaml

// Turns yaml-cpp's events into a tree, so that the bounds hold while reading and not after.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Reporter& reporter) : reporter_(reporter) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Yaml node = make(Yaml::Kind::kNull, mark);
    finish(std::move(node), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    Yaml node = make(Yaml::Kind::kScalar, mark);
    if (value.size() > kMaxScalar) stop(mark, "a value may have at most 64 KiB");
    if (!is_valid_utf8(value) || value.find('\0') != std::string::npos) stop(mark, "a value must be UTF-8 text");
    node.text = value;
    bytes_ += value.size();
    finish(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Yaml::Kind::kList, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Yaml::Kind::kMap, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(mark, "an alias may not contain itself");
    nodes_ += found->second.nodes;
    if (nodes_ > kMaxPolicyNodes) stop(mark, "aliases expand to more than 50,000 values");
    bytes_ += found->second.bytes;
    if (bytes_ > kMaxPolicyBytes) stop(mark, "aliases expand to more than 1 MiB of text");
    if (open_.size() + found->second.depth > kMaxPolicyDepth) stop(mark, "nested more than 32 levels deep");
    deepen(found->second.depth);
    attach(Yaml(found->second.node));
  }

  Yaml take_root() { return std::move(root_); }
  bool has_root() const { return has_root_; }

 private:
  struct Anchored {
    Yaml node;
    std::size_t nodes = 0, bytes = 0, depth = 0;
  };
  struct Open {
    Yaml node;
    YAML::anchor_t anchor = 0;
    std::size_t nodes_before = 0, bytes_before = 0;
    std::size_t depth_below = 0;
    bool wants_value = false;
    Yaml key;
    std::set<std::string> seen;
  };

  [[noreturn]] void stop(const YAML::Mark& mark, std::string message) {
    reporter_.add(true, mark.line + 1, mark.column + 1, std::move(message));
    throw Stop{};
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") stop(mark, "YAML tags are not used here; remove `" + tag + "`");
  }
  Yaml make(Yaml::Kind kind, const YAML::Mark& mark) {
    if (++nodes_ > kMaxPolicyNodes) stop(mark, "more than 50,000 values");
    Yaml node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }
  void open(Yaml::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(mark, tag);
    if (open_.size() >= kMaxPolicyDepth) stop(mark, "nested more than 32 levels deep");
    const std::size_t before = nodes_;
    Open entry;
    entry.node = make(kind, mark);
    entry.anchor = anchor;
    entry.nodes_before = before;
    entry.bytes_before = bytes_;
    open_.push_back(std::move(entry));
  }
  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    const std::size_t depth = done.depth_below + 1;
    keep(done.anchor, done.node, nodes_ - done.nodes_before, bytes_ - done.bytes_before, depth);
    deepen(depth);
    attach(std::move(done.node));
  }
  void finish(Yaml node, YAML::anchor_t anchor) {
    keep(anchor, node, 1, node.text.size(), 0);
    attach(std::move(node));
  }
  // Anchors in anchors keep what lies in them once more each.
  void keep(YAML::anchor_t anchor, const Yaml& node, std::size_t nodes, std::size_t bytes, std::size_t depth) {
    if (anchor == 0) return;
    anchored_ += nodes;
    if (anchored_ > kMaxPolicyNodes) {
      reporter_.error(node, "anchors hold more than 50,000 values");
      throw Stop{};
    }
    anchors_[anchor] = {node, nodes, bytes, depth};
  }
  void deepen(std::size_t depth) {
    if (!open_.empty()) open_.back().depth_below = std::max(open_.back().depth_below, depth);
  }
  void attach(Yaml node) {
    if (open_.empty()) {
      root_ = std::move(node);
      has_root_ = true;
      return;
    }
    Open& parent = open_.back();
    if (parent.node.is_list()) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.wants_value) {
      take_key(parent, std::move(node));
    } else {
      parent.node.keys.push_back(std::move(parent.key));
      parent.node.items.push_back(std::move(node));
      parent.wants_value = false;
    }
  }
  void take_key(Open& parent, Yaml key) {
    parent.wants_value = true;
    if (!key.is_scalar()) {
      reporter_.error(key, "a key must be a plain word");
      throw Stop{};
    }
    if (!parent.seen.insert(key.text).second) reporter_.error(key, "key `" + key.text + "` appears twice");
    parent.key = std::move(key);
  }

  Reporter& reporter_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0, bytes_ = 0, anchored_ = 0;
  bool has_root_ = false;
  Yaml root_;
};

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

class Expander {
 public:
  Expander(const Environment& environment, Reporter& reporter) : environment_(environment), reporter_(reporter) {}

  // False: the value is absent.
  bool expand(Yaml& node) {
    if (node.is_scalar()) return scalar(node);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      if (!expand(node.items[i])) continue;
      if (kept != i) {
        node.items[kept] = std::move(node.items[i]);
        if (node.is_map()) node.keys[kept] = std::move(node.keys[i]);
      }
      ++kept;
    }
    node.items.resize(kept);
    if (node.is_map()) node.keys.resize(kept);
    return true;
  }
  std::string take_used() { return std::move(used_); }

 private:
  bool scalar(Yaml& node) {
    if (node.text.find("${") == std::string::npos) return true;
    std::string out;
    std::string_view rest = node.text;
    while (!rest.empty()) {
      const std::size_t at = rest.find("${");
      if (at == std::string_view::npos) break;
      if (at > 0 && rest[at - 1] == '$') {
        out.append(rest.substr(0, at)).append("{");
        rest.remove_prefix(at + 2);
        continue;
      }
      const std::size_t end = rest.find('}', at);
      if (end == std::string_view::npos) {
        reporter_.error(node, "`${` without a closing `}`");
        return true;
      }
      out.append(rest.substr(0, at));
      std::optional<std::string> value = lookup(node, rest.substr(at + 2, end - at - 2));
      if (!value) return false;
      out += *value;
      if (out.size() > kMaxScalar) {
        reporter_.error(node, "a value may have at most 64 KiB after reading the environment");
        return true;
      }
      rest.remove_prefix(end + 1);
    }
    out += rest;
    node.text = std::move(out);
    return true;
  }
  std::optional<std::string> lookup(const Yaml& node, std::string_view expression) {
    const std::size_t dash = expression.find(":-");
    const std::string_view name = expression.substr(0, dash);
    if (!is_variable_name(name)) {
      reporter_.error(node,
                      "`${" + std::string(name) + "}` is not the name of a variable; write ${NAME} or ${NAME:-x}");
      return std::string();
    }
    std::optional<std::string> value = environment_ ? environment_(name) : std::nullopt;
    if (value && value->empty()) value.reset();
    if (value && (!is_valid_utf8(*value) || value->find('\0') != std::string::npos)) {
      reporter_.error(node, "the variable " + std::string(name) + " is not UTF-8 text");
      value = std::string();
    }
    used_.append(name).append("=").append(value.value_or("")).append("\n");
    if (!value && dash != std::string_view::npos) value = std::string(expression.substr(dash + 2));
    return value;
  }

  const Environment& environment_;
  Reporter& reporter_;
  std::string used_;
};

}  // namespace

const Yaml* Yaml::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].text == key) return &items[i];
  }
  return nullptr;
}

void Reporter::add(bool error, int line, int column, std::string message) {
  failed_ = failed_ || error;
  if (diagnostics_.size() > kMaxDiagnostics) return;
  if (diagnostics_.size() == kMaxDiagnostics) message = "too many problems; the rest is not shown";
  diagnostics_.push_back({error, file_, line, column, std::move(message)});
}

std::vector<Diagnostic> Reporter::take() {
  std::stable_sort(diagnostics_.begin(), diagnostics_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return std::move(diagnostics_);
}

std::optional<Yaml> parse_yaml(std::string_view text, Reporter& reporter) {
  if (text.size() > kMaxPolicyBytes) {
    reporter.add(true, 1, 1, "the file is larger than 1 MiB");
    return std::nullopt;
  }
  std::optional<Yaml> root;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder first(reporter);
    if (parser.HandleNextDocument(first) && first.has_root()) root = first.take_root();
    TreeBuilder second(reporter);
    if (parser.HandleNextDocument(second)) {
      reporter.add(true, 1, 1, "the file holds several YAML documents; keep one");
      return std::nullopt;
    }
  } catch (const Stop&) {
    return std::nullopt;
  } catch (const YAML::Exception& e) {
    reporter.add(true, e.mark.line + 1, e.mark.column + 1, "not valid YAML: " + e.msg);
    return std::nullopt;
  } catch (const std::exception& e) {
    reporter.add(true, 0, 0, std::string("the file cannot be read as YAML: ") + e.what());
    return std::nullopt;
  }
  if (!root || root->kind == Yaml::Kind::kNull) {
    root.emplace();
    root->kind = Yaml::Kind::kMap;
    root->line = root->column = 1;
  }
  return root;
}

std::string expand_environment(Yaml& root, const Environment& environment, Reporter& reporter) {
  Expander expander(environment, reporter);
  if (!expander.expand(root)) {
    root = Yaml{};
    root.kind = Yaml::Kind::kMap;
  }
  return expander.take_used();
}

}  // namespace weir
