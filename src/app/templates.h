// Policies to begin with: files of src/app/templates, compiled in.
//
//   for (const Template& t : policy_templates()) print(t.name, t.summary());
//   const Template* salon = find_template("salon");   // null: there is none of that name
//
// Immutable; texts live as long as the program.
#pragma once

#include <span>
#include <string_view>

namespace weir {

struct Template {
  std::string_view name;
  std::string_view text;             // of the whole weir.yaml
  std::string_view summary() const;  // its first line without the comment sign
};

std::span<const Template> policy_templates();
const Template* find_template(std::string_view name);

// What the built-in policy says, with comments.
const Template& starter_template();

}  // namespace weir
