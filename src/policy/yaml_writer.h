// Writes a tree as YAML that reads back as the same tree: sections and their entries on lines of their own, what lies
// deeper in flow style.
//
//   WrittenYaml out = write_yaml(root);
//   out.marks[diagnostic.line - 1].line;    // `line` of the node that stands there
//
// Pure.
#pragma once

#include <string>
#include <vector>

#include "policy/yaml.h"

namespace weir {

struct WrittenYaml {
  struct Mark {
    int line = 0;        // of the node that the line begins
    std::string member;  // of an entry; empty on the entry's first line
  };
  std::string text;
  std::vector<Mark> marks;  // one per line
};
WrittenYaml write_yaml(const Yaml& root);

// JSON as a tree whose nodes have that line; an error if it is none, too deep, longer than an override may be, or names
// variables of the environment.
Result<Yaml> yaml_of_json(std::string_view json, int line);

// `kind` is kMap, kList or kScalar.
Yaml make_yaml(Yaml::Kind kind, std::string text = {});
Yaml* find_member(Yaml& map, std::string_view key);
// Replaces the member, or adds it at the end; where it stands now.
Yaml& set_member(Yaml& map, std::string_view key, Yaml value);
void remove_member(Yaml& map, std::string_view key);
// The same values, wherever they stand; members of a map in any order.
bool same_yaml(const Yaml& a, const Yaml& b);

}  // namespace weir
