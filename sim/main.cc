// ./dev sim: runs seeds in worlds, on all cores, and reports.
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "report.h"
#include "simulation.h"

namespace weir::sim {
namespace {

constexpr std::uint64_t kTwiceEvery = 20;  // seeds: 5% run twice

struct Options {
  std::vector<std::string> worlds;  // names; empty: all
  std::optional<std::uint64_t> seed;
  std::uint64_t first = 1, seeds = 200;
  double minutes = 0;
  bool trace = false, regressions = true, once = false;
  int jobs = 0;
};

struct Task {
  std::string world;
  std::uint64_t seed = 0;
  bool twice = false;
};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string world_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  return std::string(WEIR_SIM_DIR) + "/worlds/" + name + (name.ends_with(".yaml") ? "" : ".yaml");
}

std::vector<std::string> all_worlds() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(WEIR_SIM_DIR) + "/worlds")) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// "world seed # bug" by line.
std::vector<Task> regressions() {
  std::vector<Task> out;
  std::ifstream file(std::string(WEIR_SIM_DIR) + "/regressions.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    Task task;
    if (words >> task.world >> task.seed) out.push_back(task);
  }
  return out;
}

Verdict run_one(const World& world, std::uint64_t seed, bool trace) {
  Simulation simulation(world, seed, {.print_trace = trace, .directory = {}});
  return simulation.run();
}

Verdict run_task(const Task& task, bool trace) {
  const Result<World> world = load_world(world_path(task.world));
  Verdict verdict;
  if (!world) {
    verdict.failures.push_back({.checker = "world", .message = world.error().message});
    return verdict;
  }
  verdict = run_one(*world, task.seed, trace);
  if (!task.twice || !verdict.failures.empty()) return verdict;
  const Verdict again = run_one(*world, task.seed, false);
  if (again.trace_hash != verdict.trace_hash) {
    verdict.failures.push_back({.checker = "determinism",
                                .message = fmt::format("two runs differ: {} steps and {}, {} asks and {}",
                                                       verdict.steps, again.steps, verdict.asks, again.asks)});
  }
  return verdict;
}

// A child that runs the tasks it is told, one after another.
class Child {
 public:
  bool busy() const { return pid_ > 0; }
  int fd() const { return fd_; }
  void start(Task task) {
    task_ = std::move(task);
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      const std::string line = to_line(run_task(task_, false));
      std::size_t at = 0;
      while (at < line.size()) {
        const ssize_t n = ::write(ends[1], line.data() + at, line.size() - at);
        if (n <= 0) break;
        at += static_cast<std::size_t>(n);
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    fd_ = ends[0];
  }
  // Reads on; true once the task is over.
  bool read(Report& report) {
    char bytes[1 << 16];
    const ssize_t n = ::read(fd_, bytes, sizeof bytes);
    if (n > 0) {
      text_.append(bytes, static_cast<std::size_t>(n));
      return false;
    }
    int status = 0;
    ::close(fd_);
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    Verdict verdict;
    if (from_line(std::exchange(text_, {}), verdict)) {
      report.add(task_.world, task_.seed, verdict);
    } else {
      report.add({task_.world, task_.seed,
                  WIFSIGNALED(status) ? fmt::format("the process died of signal {}", WTERMSIG(status))
                                      : fmt::format("the process ended with {}", WEXITSTATUS(status))});
    }
    return true;
  }

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
  Task task_;
  std::string text_;
};

class Runner {
 public:
  explicit Runner(const Options& options) : options_(options), begin_(seconds_now()) {
    worlds_ = options.worlds.empty() ? all_worlds() : options.worlds;
    if (options.regressions) known_ = regressions();
    if (!options.worlds.empty()) {
      std::erase_if(known_, [&](const Task& task) {
        return std::find(worlds_.begin(), worlds_.end(), task.world) == worlds_.end();
      });
    }
  }

  int run() {
    const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
    std::vector<Child> children(static_cast<std::size_t>(options_.jobs > 0 ? options_.jobs : std::max(1L, cores)));
    double told = begin_;
    for (;;) {
      std::vector<pollfd> waits;
      for (Child& child : children) {
        if (!child.busy()) {
          if (auto task = next()) child.start(std::move(*task));
        }
        if (child.busy()) waits.push_back({.fd = child.fd(), .events = POLLIN, .revents = 0});
      }
      if (waits.empty()) break;
      ::poll(waits.data(), waits.size(), 1000);
      for (const pollfd& wait : waits) {
        if (wait.revents == 0) continue;
        for (Child& child : children) {
          if (child.busy() && child.fd() == wait.fd) child.read(report_);
        }
      }
      if (seconds_now() - told > 60) {
        told = seconds_now();
        fmt::print(stderr, "{} seeds, {} failed\n", report_.seeds(), report_.findings().size());
      }
    }
    report_.print(seconds_now() - begin_);
    return report_.findings().empty() ? 0 : 1;
  }

 private:
  static constexpr std::size_t kMaxFindings = 20;

  std::optional<Task> next() {
    if (report_.findings().size() >= kMaxFindings) return std::nullopt;
    if (at_known_ < known_.size()) return known_[at_known_++];
    const bool more = options_.minutes > 0 ? seconds_now() - begin_ < options_.minutes * 60 : given_ < options_.seeds;
    if (!more) return std::nullopt;
    const std::uint64_t seed = options_.first + given_;
    Task task{
        .world = worlds_[given_ % worlds_.size()], .seed = seed, .twice = !options_.once && given_ % kTwiceEvery == 0};
    ++given_;
    return task;
  }

  const Options& options_;
  double begin_;
  std::vector<std::string> worlds_;
  std::vector<Task> known_;
  std::size_t at_known_ = 0;
  std::uint64_t given_ = 0;
  Report report_;
};

int run_single(const Options& options) {
  int result = 0;
  for (const std::string& world : options.worlds.empty() ? all_worlds() : options.worlds) {
    const double begin = seconds_now();
    const Verdict verdict = run_task({.world = world, .seed = *options.seed, .twice = !options.trace}, options.trace);
    if (!options.trace) {
      for (const std::string& line : verdict.last_lines) fmt::print("{}\n", line);
    }
    Report report;
    Verdict again;
    from_line(to_line(verdict), again);
    report.add(world, *options.seed, again);
    report.print(seconds_now() - begin);
    fmt::print("trace {:016x}\n", verdict.trace_hash);
    if (!verdict.failures.empty()) result = 1;
  }
  return result;
}

int usage(const char* problem) {
  fmt::print(stderr,
             "weir_simulate: {}\n"
             "  --seeds N     so many seeds over all worlds (default 200); --first N: from this one on\n"
             "  --seed N      this one, and what it did; --trace: all of it\n"
             "  --world NAME  in this world only (may be repeated); a name of sim/worlds or a path\n"
             "  --minutes M   as many seeds as fit\n"
             "  --jobs N      at once (default: one per core); --no-regressions; --once: none twice\n",
             problem);
  return 2;
}

template <class T>
bool read_number(const char* text, T& out) {
  const std::string_view view(text);
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), out);
  return error == std::errc() && end == view.data() + view.size();
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--trace") {
      options.trace = true;
    } else if (name == "--no-regressions") {
      options.regressions = false;
    } else if (name == "--once") {
      options.once = true;
    } else if (i + 1 == argc) {
      return usage((name + " is unknown or needs a value").c_str());
    } else {
      const char* value = argv[++i];
      bool good = true;
      std::uint64_t seed = 0;
      if (name == "--seed") {
        good = read_number(value, seed);
        options.seed = seed;
      } else if (name == "--seeds") {
        good = read_number(value, options.seeds);
      } else if (name == "--first") {
        good = read_number(value, options.first);
      } else if (name == "--minutes") {
        good = read_number(value, options.minutes);
      } else if (name == "--jobs") {
        good = read_number(value, options.jobs);
      } else if (name == "--world") {
        options.worlds.emplace_back(value);
      } else {
        return usage(("no option " + name).c_str());
      }
      if (!good) return usage((name + " " + value + " is not a number").c_str());
    }
  }
  if (options.seed) return run_single(options);
  return Runner(options).run();
}

}  // namespace
}  // namespace weir::sim

int main(int argc, char** argv) {
  return weir::sim::run(argc, argv);
}
