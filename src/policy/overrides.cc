#include "policy/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "policy/merge_tree.h"

namespace weir {
namespace {

// What is wrong with the file and overrides together that no override's lines explain is looked for so often.
constexpr int kMaxSearches = 8;

class Merge {
 public:
  Merge(std::string_view text, const std::string& file, const Environment& environment,
        std::span<const Override> overrides)
      : file_(file), environment_(environment), overrides_(overrides) {
    out_.loaded = load_policy(text, file, environment);
    out_.yaml = text;
    kept_.resize(overrides.size());
    std::iota(kept_.begin(), kept_.end(), std::size_t{0});
    // Amounts of tiers come after the limits that they are of.
    std::sort(kept_.begin(), kept_.end(), [&](std::size_t a, std::size_t b) {
      return std::tie(overrides[a].kind, overrides[a].name, a) < std::tie(overrides[b].kind, overrides[b].name, b);
    });
  }

  MergedPolicy run() {
    if (!out_.loaded.policy || kept_.empty()) return std::move(out_);
    Reporter known(file_);
    root_ = parse_yaml(out_.yaml, known);
    int searches = 0;
    // Again for each attempt: amounts may be of a limit that was just left out.
    while (drop_what_does_not_merge()) {
      Attempt attempt = load(kept_.size());
      if (attempt.loaded.policy) return finish(std::move(attempt));
      if (drop_what_is_wrong(attempt)) continue;
      drop_culprit(++searches >= kMaxSearches);
    }
    return std::move(out_);
  }

 private:
  struct Attempt {
    WrittenYaml written;
    LoadedPolicy loaded;
  };

  Attempt load(std::size_t count) {
    MergeTree tree(*root_, *out_.loaded.policy);
    for (std::size_t i = 0; i < count; ++i) tree.apply(overrides_[kept_[i]], kept_[i]);
    Attempt out{.written = write_yaml(tree.root()), .loaded = {}};
    out.loaded = load_policy(out.written.text, file_, environment_);
    return out;
  }

  void skip(std::size_t index, std::string member, std::string why) {
    std::erase(kept_, index);
    const Override& change = overrides_[index];
    out_.skipped.push_back({change.kind, change.name, std::move(member), std::move(why)});
  }

  // True if any are left.
  bool drop_what_does_not_merge() {
    MergeTree tree(*root_, *out_.loaded.policy);
    for (const std::size_t index : std::vector<std::size_t>(kept_)) {
      if (auto fault = tree.apply(overrides_[index], index)) skip(index, std::move(fault->member), fault->why);
    }
    return !kept_.empty();
  }

  static const WrittenYaml::Mark* mark_of(const Attempt& attempt, const Diagnostic& diagnostic) {
    const auto line = static_cast<std::size_t>(diagnostic.line);
    return diagnostic.line < 1 || line > attempt.written.marks.size() ? nullptr : &attempt.written.marks[line - 1];
  }

  // True if there was any: an error on a line that an override wrote.
  bool drop_what_is_wrong(const Attempt& attempt) {
    const std::size_t before = kept_.size();
    for (const Diagnostic& diagnostic : attempt.loaded.diagnostics) {
      const WrittenYaml::Mark* mark = mark_of(attempt, diagnostic);
      if (!diagnostic.error || mark == nullptr || mark->line >= 0) continue;
      const auto index = static_cast<std::size_t>(-mark->line) - 1;
      if (std::find(kept_.begin(), kept_.end(), index) != kept_.end()) skip(index, mark->member, diagnostic.message);
    }
    return kept_.size() < before;
  }

  // The shortest run of overrides that does not load ends with the one to leave out.
  void drop_culprit(bool all_that_follow) {
    std::size_t good = 0, bad = kept_.size();
    std::string why = "file and overrides together cannot be loaded";
    while (good + 1 < bad) {
      const std::size_t middle = (good + bad) / 2;
      (load(middle).loaded.policy ? good : bad) = middle;
    }
    const Attempt attempt = load(bad);
    for (const Diagnostic& diagnostic : attempt.loaded.diagnostics) {
      if (diagnostic.error) why = diagnostic.message;
    }
    do {
      skip(kept_[bad - 1], "", why);
    } while (all_that_follow && kept_.size() >= bad);
  }

  // The file's own diagnostics have its lines; of the merged text only what overrides brought with them is added.
  MergedPolicy finish(Attempt attempt) {
    for (const Diagnostic& diagnostic : attempt.loaded.diagnostics) {
      const WrittenYaml::Mark* mark = mark_of(attempt, diagnostic);
      if (mark == nullptr || mark->line >= 0) continue;
      const Override& change = overrides_[static_cast<std::size_t>(-mark->line) - 1];
      out_.loaded.diagnostics.push_back({.error = diagnostic.error,
                                         .file = fmt::format("override of {} {}", to_string(change.kind), change.name),
                                         .message = diagnostic.message});
    }
    out_.loaded.policy = std::move(attempt.loaded.policy);
    out_.yaml = std::move(attempt.written.text);
    return std::move(out_);
  }

  const std::string& file_;
  const Environment& environment_;
  std::span<const Override> overrides_;
  std::optional<Yaml> root_;
  std::vector<std::size_t> kept_;  // indices, in the order in which they are laid over the file
  MergedPolicy out_;
};

}  // namespace

MergedPolicy merge_overrides(std::string_view text, const std::string& file, const Environment& environment,
                             std::span<const Override> overrides) {
  return Merge(text, file, environment, overrides).run();
}

std::string with_limits_spelled_out(std::string_view yaml, const Policy& policy) {
  Reporter none("policy");
  std::optional<Yaml> root = parse_yaml(yaml, none);
  if (!root || root->find("limits") != nullptr) return std::string(yaml);
  set_member(*root, "limits", built_in_limits(policy));
  return write_yaml(*root).text;
}

}  // namespace weir
