// One file's tree with overrides laid over it. Internal to src/policy.
//
//   MergeTree tree(root, policy);
//   for (std::size_t i = 0; i < n; ++i) if (auto fault = tree.apply(overrides[i], i)) …left out, says why…;
//   WrittenYaml text = write_yaml(tree.root());
//
// Nodes of the i-th override have the line -(i + 1), those of the file their own, those of the built-in policy 0.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "model/override.h"
#include "policy/yaml_writer.h"

namespace weir {

// The limits that hold for a file without any: the built-in ones as `policy` has them.
Yaml built_in_limits(const Policy& policy);

class MergeTree {
 public:
  struct Fault {
    std::string member, why;
  };
  // `policy`: what the tree says by itself.
  MergeTree(Yaml root, const Policy& policy);

  // What is wrong with it; the tree is then as it was.
  std::optional<Fault> apply(const Override& change, std::size_t index);
  const Yaml& root() const { return root_; }

 private:
  std::optional<Fault> apply_limit(const Override& change, Yaml members, int mark);
  std::optional<Fault> apply_tier(const Override& change, Yaml members, int mark);
  std::optional<Fault> apply_amounts(const std::string& tier, const Yaml& amounts, int mark);
  std::optional<Fault> apply_tenant(const Override& change, Yaml members, int mark);
  Yaml& section(const char* name, Yaml otherwise);
  Yaml* find_limit(std::string_view name);

  Yaml root_;
  const Policy& policy_;
  std::size_t nodes_ = 0;
};

}  // namespace weir
