// Sends alert messages: one thread per target, so that a target that hangs delays no other.
//
//   AlertSender sender([&](AlertSender::Done done) { … });       // called on the target's thread
//   sender.send(target, message);                                // one at a time for each target
//
//   SendResult result = send_to_target(client, target, id, body, now);      // blocks, at most kTryDeadline
//
// Used by one thread. Limit: kMaxAlertTargets threads, one message each. The end waits for what is on its way.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "model/alert.h"
#include "model/alert_rules.h"
#include "net/background.h"
#include "net/clock.h"
#include "net/http_client.h"

namespace weir {

struct SendResult {
  bool ok = false;
  int status = 0;      // 0: no answer
  std::string detail;  // for people
};
SendResult send_to_target(HttpClient& client, const AlertTarget& target, std::string_view id, const std::string& body,
                          TimeNs now);
// A test message to each, at the same time; in the order of the targets.
std::vector<SendResult> send_tests(const std::vector<AlertTarget>& targets, TimeNs now);

class AlertSender {
 public:
  struct Done {
    std::string target, message;
    SendResult result;
  };
  AlertSender(const Clock& clock, std::function<void(Done)> done);
  ~AlertSender();
  AlertSender(const AlertSender&) = delete;
  AlertSender& operator=(const AlertSender&) = delete;

  bool is_busy(const std::string& target) const;
  // The target must not be busy.
  void send(const AlertTarget& target, const AlertMessage& message);
  // Ends the threads of targets that are not among these and are not busy.
  void keep_only(const std::set<std::string, std::less<>>& targets);

 private:
  struct Lane;
  const Clock& clock_;
  const std::function<void(Done)> done_;
  std::map<std::string, std::unique_ptr<Lane>, std::less<>> lanes_;
};

}  // namespace weir
