// A YAML document as a small tree with positions, read with bounds: 1 MiB of text and 50,000 nodes with aliases
// expanded, 32 levels. Duplicate keys, tags, several documents and keys that are not scalars are errors.
//
//   Reporter reporter("weir.yaml");
//   std::optional<Yaml> root = parse_yaml(text, reporter);
//   std::string used = expand_environment(*root, environment, reporter);
//
// Values; a tree belongs to one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "policy/suggest.h"

namespace weir {

inline constexpr std::size_t kMaxPolicyBytes = 1 << 20;
inline constexpr std::size_t kMaxPolicyDepth = 32;
inline constexpr std::size_t kMaxPolicyNodes = 50'000;
inline constexpr std::size_t kMaxDiagnostics = 100;

struct Yaml {
  enum class Kind : unsigned char { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  int line = 0, column = 0;  // from 1
  std::string text;          // kScalar
  std::vector<Yaml> keys;    // kMap: scalars, beside `items`
  std::vector<Yaml> items;   // kList, kMap

  const Yaml* find(std::string_view key) const;
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
};

// Collects diagnostics, at most kMaxDiagnostics of them.
class Reporter {
 public:
  explicit Reporter(std::string file) : file_(std::move(file)) {}
  void error(const Yaml& at, std::string message) { add(true, at.line, at.column, std::move(message)); }
  void warning(const Yaml& at, std::string message) { add(false, at.line, at.column, std::move(message)); }
  void add(bool error, int line, int column, std::string message);
  bool failed() const { return failed_; }
  std::vector<Diagnostic> take();  // in the order of the file

 private:
  std::string file_;
  bool failed_ = false;
  std::vector<Diagnostic> diagnostics_;
};

// nullopt after reporting an error; an empty document is an empty map.
std::optional<Yaml> parse_yaml(std::string_view text, Reporter& reporter);

// Replaces ${NAME} and ${NAME:-default} in every value; `$${` stays as a literal `${`. A value that names a variable
// that is unset or empty, without a default, is removed with its key. Returns what was read, for the policy's version.
std::string expand_environment(Yaml& root, const Environment& environment, Reporter& reporter);

}  // namespace weir
