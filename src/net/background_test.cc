// Threads that run one function every so often.
#include "net/background.h"

#include <gtest/gtest.h>

#include <future>

namespace weir {
namespace {

std::string name_of_thread(const char* wanted) {
  std::promise<std::string> name;
  Background thread(wanted, std::chrono::hours(1), [&] {
    char text[64] = {};
    pthread_getname_np(pthread_self(), text, sizeof text);
    name.set_value(text);
    return false;
  });
  thread.wake();
  return name.get_future().get();
}

TEST(Background, ItsThreadHasItsNameAndALongOneIsCut) {
  EXPECT_EQ(name_of_thread("weir-drain"), "weir-drain");
  EXPECT_EQ(name_of_thread("weir-a-name-without-end"), "weir-a-name-wit");
}

}  // namespace
}  // namespace weir
