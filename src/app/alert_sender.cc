#include "app/alert_sender.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <thread>

#include "alerts/messages.h"
#include "alerts/retries.h"
#include "net/thread_name.h"

namespace weir {
namespace {

constexpr std::size_t kMaxAnswer = 512;  // of which people are shown what is printable

std::string excerpt(std::string_view body) {
  std::string out;
  for (const char c : body.substr(0, 120)) out += c >= ' ' && c < 0x7F ? c : ' ';
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

}  // namespace

SendResult send_to_target(HttpClient& client, const AlertTarget& target, std::string_view id, const std::string& body,
                          TimeNs now) {
  HttpRequest request{.method = "POST", .url = target.url, .body = body};
  request.deadline_ms = static_cast<int>(kTryDeadline / kMillisecond);
  request.max_body = kMaxAnswer;
  request.headers = {{"Content-Type", "application/json"}, {"User-Agent", "weir-alerts"}};
  if (target.kind == AlertTarget::Kind::kWebhook) {
    request.headers.emplace_back(kAlertIdHeader, id);
    request.headers.emplace_back(kSignatureHeader, signature(target.secret.reveal(), id, now, body));
  }
  const auto answer = client.send(request);
  if (!answer) return {.ok = false, .status = 0, .detail = answer.error().message};
  SendResult out{.ok = answer->status >= 200 && answer->status < 300, .status = answer->status, .detail = {}};
  out.detail = fmt::format("{} answered {}", target.host, answer->status);
  if (const std::string said = excerpt(answer->body); !out.ok && !said.empty()) out.detail += ": " + said;
  if (answer->status >= 300 && answer->status < 400) out.detail += " (redirects are not followed)";
  return out;
}

std::vector<SendResult> send_tests(const std::vector<AlertTarget>& targets, TimeNs now) {
  std::vector<SendResult> out(targets.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    threads.emplace_back([&target = targets[i], &result = out[i], now] {
      name_thread("weir-alert-test");
      HttpClient client;
      const std::string id = fmt::format("test-{}-{}", target.name, now / kMillisecond);
      result = send_to_target(client, target, id, test_body(target.kind, target.name, now), now);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return out;
}

struct AlertSender::Lane {
  struct Job {
    AlertTarget target;
    AlertMessage message;
  };
  mutable Mutex mutex;
  std::optional<Job> job WEIR_GUARDED_BY(mutex);
  HttpClient client;
  std::unique_ptr<Background> thread;

  bool is_busy() const {
    const MutexLock lock(mutex);
    return job.has_value();
  }
};

AlertSender::AlertSender(const Clock& clock, std::function<void(Done)> done) : clock_(clock), done_(std::move(done)) {}

AlertSender::~AlertSender() {
  for (auto& [name, lane] : lanes_) lane->thread->stop();
}

bool AlertSender::is_busy(const std::string& target) const {
  const auto lane = lanes_.find(target);
  return lane != lanes_.end() && lane->second->is_busy();
}

void AlertSender::send(const AlertTarget& target, const AlertMessage& message) {
  auto& lane = lanes_[target.name];
  if (lane == nullptr) lane = std::make_unique<Lane>();
  {
    const MutexLock lock(lane->mutex);
    lane->job = Lane::Job{target, message};
  }
  if (lane->thread != nullptr) return lane->thread->wake();
  constexpr std::chrono::milliseconds kPeriod(1'000);
  lane->thread = std::make_unique<Background>("weir-alert-send", kPeriod, [this, &own = *lane] {
    std::optional<Lane::Job> job;
    {
      const MutexLock lock(own.mutex);
      job = own.job;
    }
    if (!job) return false;
    const AlertMessage& sent = job->message;
    const std::string id = sent.id.substr(0, sent.id.find('@'));
    SendResult result = send_to_target(own.client, job->target, id, sent.body, clock_.now());
    // Told before the lane is free: nobody may find it free and the outcome unknown.
    done_({.target = sent.target, .message = sent.id, .result = std::move(result)});
    const MutexLock lock(own.mutex);
    own.job.reset();
    return false;
  });
  lane->thread->wake();
}

void AlertSender::keep_only(const std::set<std::string, std::less<>>& targets) {
  std::erase_if(lanes_, [&](const auto& lane) {
    if (targets.contains(lane.first) || lane.second->is_busy()) return false;
    lane.second->thread->stop();
    return true;
  });
}

}  // namespace weir
