#include "policy/yaml_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

// Words that every reader of YAML takes for text, and that need no quotes in flow style either.
bool is_plain(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inner = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/' || c == '%' ||
           c == '$' || c == '+';
  };
  if (text.empty() || text.size() > 128 || !std::all_of(text.begin(), text.end(), inner)) return false;
  if (!letter(text[0]) && !(text[0] >= '0' && text[0] <= '9')) return false;
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return lower != "null" && lower != "yes" && lower != "no" && lower != "on" && lower != "off" && lower != "y" &&
         lower != "n";
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append("\\").append(1, c);
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

class Writer {
 public:
  void document(const Yaml& root) {
    for (std::size_t i = 0; i < root.keys.size(); ++i) section(root.keys[i], root.items[i]);
    if (root.keys.empty()) line(root, "", "{}");
  }
  WrittenYaml take() { return std::move(out_); }

 private:
  static std::string scalar(const Yaml& node) { return is_plain(node.text) ? node.text : quoted(node.text); }

  static std::string flow(const Yaml& node) {
    if (node.is_scalar()) return scalar(node);
    if (node.kind == Yaml::Kind::kNull) return "null";
    std::string out = node.is_map() ? "{" : "[";
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      out += i == 0 ? (node.is_map() ? " " : "") : ", ";
      if (node.is_map()) out += scalar(node.keys[i]) + ": ";
      out += flow(node.items[i]);
    }
    return out + (node.is_map() && !node.items.empty() ? " }" : node.is_map() ? "}" : "]");
  }

  void line(const Yaml& at, std::string member, const std::string& text) {
    out_.text.append(text).append("\n");
    out_.marks.push_back({at.line, std::move(member)});
  }

  void section(const Yaml& key, const Yaml& value) {
    const bool entries = value.is_list() && !value.items.empty() && value.items[0].is_map();
    if (value.is_map() && !value.keys.empty()) {
      line(value, "", scalar(key) + ":");
      for (std::size_t i = 0; i < value.keys.size(); ++i) {
        const Yaml& item = value.items[i];
        line(item, "", "  " + scalar(value.keys[i]) + ": " + flow(item));
      }
    } else if (entries) {
      line(value, "", scalar(key) + ":");
      for (const Yaml& item : value.items) entry(item);
    } else {
      line(value, "", scalar(key) + ": " + flow(value));
    }
  }

  void entry(const Yaml& item) {
    if (!item.is_map() || item.keys.empty()) return line(item, "", "  - " + flow(item));
    line(item, "", "  - " + scalar(item.keys[0]) + ": " + flow(item.items[0]));
    for (std::size_t i = 1; i < item.keys.size(); ++i) member(item.keys[i], item.items[i]);
  }

  void member(const Yaml& key, const Yaml& value) {
    const bool map = value.is_map() && !value.keys.empty();
    line(value, key.text, "    " + scalar(key) + ":" + (map ? "" : " " + flow(value)));
    for (std::size_t i = 0; map && i < value.keys.size(); ++i) {
      line(value.items[i], key.text, "      " + scalar(value.keys[i]) + ": " + flow(value.items[i]));
    }
  }

  WrittenYaml out_;
};

}  // namespace

WrittenYaml write_yaml(const Yaml& root) {
  Writer writer;
  writer.document(root);
  return writer.take();
}

Yaml make_yaml(Yaml::Kind kind, std::string text) {
  Yaml out;
  out.kind = kind;
  out.text = std::move(text);
  return out;
}

Yaml* find_member(Yaml& map, std::string_view key) {
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    if (map.keys[i].text == key) return &map.items[i];
  }
  return nullptr;
}

Yaml& set_member(Yaml& map, std::string_view key, Yaml value) {
  if (Yaml* found = find_member(map, key)) return *found = std::move(value);
  map.keys.push_back(make_yaml(Yaml::Kind::kScalar, std::string(key)));
  map.items.push_back(std::move(value));
  return map.items.back();
}

void remove_member(Yaml& map, std::string_view key) {
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    if (map.keys[i].text != key) continue;
    map.keys.erase(map.keys.begin() + static_cast<std::ptrdiff_t>(i));
    map.items.erase(map.items.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

bool same_yaml(const Yaml& a, const Yaml& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
  if (a.is_scalar()) return a.text == b.text;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    const Yaml* other = a.is_map() ? b.find(a.keys[i].text) : &b.items[i];
    if (other == nullptr || !same_yaml(a.items[i], *other)) return false;
  }
  return true;
}

}  // namespace weir
