// /admin/v1/policy/what-if: a replay of the last hours under a draft, on the thread for long work. One at a time; an
// answer is kept for kWhatIfKept. See docs/admin-api.md.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "admin/body.h"
#include "admin/overriding.h"
#include "admin/routes.h"
#include "admin/what_if_run.h"
#include "base/hash.h"
#include "base/mutex.h"

namespace weir {
namespace {

constexpr DurationNs kWhatIfKept = 10 * kMinute;
constexpr std::size_t kMaxWhatIfsKept = 8;

// Shared by the thread that runs admin work and the one that replays.
class Job {
 public:
  explicit Job(std::string id) : id_(std::move(id)) {}

  const std::string& id() const { return id_; }
  void cancel() { cancelled_ = true; }
  bool go_on(double progress) {
    progress_ = progress;
    return !cancelled_;
  }
  void finish(Result<std::string> outcome) {
    const MutexLock lock(mutex_);
    outcome_ = std::move(outcome);
  }
  bool running() const {
    const MutexLock lock(mutex_);
    return !outcome_;
  }
  std::string json() const {
    std::string out;
    JsonWriter json(out);
    const MutexLock lock(mutex_);
    const bool done = outcome_ && *outcome_;
    json.begin_object().key("id").string(id_).key("state").string(!outcome_ ? "running" : done ? "done" : "failed");
    json.key("progress").real(done ? 1 : progress_.load()).key("error");
    outcome_ && !*outcome_ ? json.string(outcome_->error().message) : json.null();
    json.key("result");
    done ? json.raw(**outcome_) : json.null();
    json.end_object();
    return out;
  }

 private:
  const std::string id_;
  std::atomic<bool> cancelled_{false};
  std::atomic<double> progress_{0};
  mutable Mutex mutex_;
  std::optional<Result<std::string>> outcome_ WEIR_GUARDED_BY(mutex_);
};

// The jobs of one router. Belongs to the thread that runs admin work.
class Jobs {
 public:
  std::shared_ptr<Job> find(std::string_view id, TimeNs now) {
    forget(now);
    for (const Kept& kept : jobs_) {
      if (kept.job->id() == id) return kept.job;
    }
    return nullptr;
  }
  bool any_running(TimeNs now) {
    forget(now);
    return std::any_of(jobs_.begin(), jobs_.end(), [](const Kept& kept) { return kept.job->running(); });
  }
  std::shared_ptr<Job> add(TimeNs now) {
    if (jobs_.size() >= kMaxWhatIfsKept) jobs_.erase(jobs_.begin());
    jobs_.push_back({std::make_shared<Job>(fmt::format("{:016x}", hash64(fmt::format("{} {}", now, ++count_)))), 0});
    return jobs_.back().job;
  }
  void remove(const Job& job) {
    std::erase_if(jobs_, [&](const Kept& kept) { return kept.job.get() == &job; });
  }

 private:
  struct Kept {
    std::shared_ptr<Job> job;
    TimeNs done_at = 0;  // when it was first seen to be
  };
  void forget(TimeNs now) {
    for (Kept& kept : jobs_) {
      if (kept.done_at == 0 && !kept.job->running()) kept.done_at = now;
    }
    std::erase_if(jobs_, [&](const Kept& kept) { return kept.done_at != 0 && now - kept.done_at > kWhatIfKept; });
  }

  std::vector<Kept> jobs_;
  std::uint64_t count_ = 0;
};

Reply start(AdminContext& call, Jobs& jobs) {
  const auto body = AdminBody::read(call.request.body, {"yaml", "hours"});
  if (!body) return admin_problem(400, body.error().message);
  const auto text = body->text("yaml", kMaxAdminBody, true);
  const auto hours = body->number("hours", 1, 31 * 24);
  if (!text) return admin_problem(400, text.error().message);
  if (!hours) return admin_problem(400, hours.error().message);
  const auto rules = call.host.rules();
  WhatIfQuestion question{.current = {rules, &rules->policy()}, .draft = {rules, &rules->policy()}, .from = 0};
  question.from = call.now - hours->value_or(24) * kHour;
  question.until = call.now;
  if (*text) {
    const LoadedPolicy loaded = load_draft(call, *policy_now(call), **text);
    if (!loaded.policy) return invalid_policy("The draft is not valid; nothing was replayed.", loaded.diagnostics);
    question.draft = loaded.policy;
  }
  if (jobs.any_running(call.now)) {
    Reply reply = admin_problem(429, "Another draft is being replayed; ask again when it is done, or delete it.");
    append_header(reply.headers, "retry-after", "5");
    return reply;
  }
  const auto job = jobs.add(call.now);
  AdminHost& host = call.host;
  const bool taken = host.start_long_work([job, question, &host](Store& store, TimeNs) {
    const auto result = run_what_if(store, question, [&](double done) { return job->go_on(done) && !host.stopping(); });
    job->finish(result ? Result<std::string>(what_if_json(*result)) : fail(result.error().message));
  });
  if (!taken) {
    jobs.remove(*job);
    Reply reply = admin_problem(429, "Too much other work is waiting; ask again in a moment.");
    append_header(reply.headers, "retry-after", "5");
    return reply;
  }
  return admin_json(job->json(), 202);
}

Reply not_known() {
  return admin_problem(404, "There is no such replay; answers are kept for ten minutes.");
}

}  // namespace

void add_what_if_routes(AdminRouter& router) {
  const std::string all = "/admin/v1/policy/what-if", one = all + "/{id}";
  const auto jobs = std::make_shared<Jobs>();
  router.add({"POST", all, AdminRole::kViewer, {}, [jobs](AdminContext& call) { return start(call, *jobs); }});
  router.add({"GET", one, AdminRole::kViewer, {}, [jobs](AdminContext& call) {
                const auto job = jobs->find(call.name(), call.now);
                return job ? admin_json(job->json()) : not_known();
              }});
  router.add({"DELETE", one, AdminRole::kViewer, {}, [jobs](AdminContext& call) {
                const auto job = jobs->find(call.name(), call.now);
                if (!job) return not_known();
                job->cancel();
                if (!job->running()) jobs->remove(*job);
                return Reply{.status = 204, .content_type = {}, .headers = {}, .body = {}};
              }});
}

}  // namespace weir
