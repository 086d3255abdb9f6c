#include "app/command_init.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "app/templates.h"
#include "base/json_writer.h"
#include "base/strings.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

std::string unknown_template(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Template& known : policy_templates()) names.push_back(known.name);
  const auto near = nearest_word(name, names);
  return "no template is called " + name + (near ? "; did you mean " + std::string(*near) + "?" : ";") +
         " `weir init --list` lists them";
}

Result<void> written(std::ofstream file, const std::string& path, std::string_view text) {
  file << text;
  file.close();
  if (file) return {};
  return fail("cannot write " + path + "; name a file in a folder that can be written with -o");
}

// A file that appears between the look and the write is not overwritten either.
Result<void> write_new(const std::string& path, std::string_view text) {
  return written(std::ofstream(path, std::ios::binary | std::ios::noreplace), path, text);
}

// A server that watches the file sees the old one or the new one.
Result<void> replace(const std::string& path, std::string_view text) {
  std::error_code error;
  const fs::path target = fs::is_symlink(path, error) ? fs::canonical(path, error) : fs::path(path);
  if (error) return fail("cannot write " + path + ": " + error.message() + "; remove it, or name another with -o");
  const std::string beside = target.string() + ".new";
  if (auto done = written(std::ofstream(beside, std::ios::binary | std::ios::trunc), path, text); !done) return done;
  fs::rename(beside, target, error);
  if (!error) return {};
  const std::string why = error.message();
  fs::remove(beside, error);
  return fail("cannot replace " + path + ": " + why + "; name another file with -o");
}

int list(const CommandContext& context, bool json) {
  TextTable table({{"TEMPLATE"}, {"FOR"}});
  for (const Template& known : policy_templates()) {
    if (json) {
      std::string line;
      JsonWriter(line)
          .begin_object()
          .key("name")
          .string(known.name)
          .key("summary")
          .string(known.summary())
          .end_object();
      output(context) << line << '\n';
    } else {
      table.add({std::string(known.name), std::string(known.summary())});
    }
  }
  if (!json) table.print(output(context));
  return kExitDone;
}

}  // namespace

int run_init(const InitCommand& command, const CommandContext& context) {
  const Template* chosen = command.name ? find_template(*command.name) : &starter_template();
  if (chosen == nullptr) return report(errors(context), kExitNo, unknown_template(*command.name));
  if (command.output == "-") {
    output(context) << chosen->text << std::flush;
    return output(context) ? kExitDone : report(errors(context), kExitCouldNotRun, "cannot write to standard output");
  }
  const std::string& path = command.output;
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (fs::is_directory(fs::status(path, error))) {
    return report(errors(context), kExitNo, path + " is a folder; name a file in it with -o");
  }
  if (fs::exists(status) && !command.force) {
    return report(errors(context), kExitNo,
                  path +
                      " is there already and stays as it is; --force replaces it, -o FILE writes another, -o - shows "
                      "the template");
  }
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_symlink(status)) {
    return report(errors(context), kExitNo,
                  path + " is not a file that can be replaced; -o - writes to standard output");
  }
  const auto done = fs::exists(status) ? replace(path, chosen->text) : write_new(path, chosen->text);
  if (!done) return report(errors(context), kExitCouldNotRun, done.error().message);
  output(context) << "wrote " << path << ": " << chosen->summary() << "\nnext: weir explain -c " << path
                  << "   (in words)\n      weir serve -c " << path << "\n";
  return kExitDone;
}

void add_init_command(CLI::App& app, int& exit_code, const CommandContext& context) {
  struct Options {
    InitCommand command;
    bool list = false, json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* init = app.add_subcommand("init", "Write a commented weir.yaml: the built-in policy, or a template");
  init->add_option("-t,--template", options->command.name, "what for; --list shows them");
  init->add_option("-o,--output", options->command.output, "file to write, - for standard output")
      ->capture_default_str();
  init->add_flag("--force", options->command.force, "replace the file if it is there");
  CLI::Option* list_flag = init->add_flag("--list", options->list, "list the templates, one a line");
  init->add_flag("--json", options->json, "with --list: one object per line")->needs(list_flag);
  init->callback([options, &exit_code, &context] {
    exit_code = options->list ? list(context, options->json) : run_init(options->command, context);
  });
}

}  // namespace weir
