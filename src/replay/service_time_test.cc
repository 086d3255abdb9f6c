#include "replay/service_time.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(ServiceTime, IsAConstantAndSoMuchPerToken) {
  const auto service = parse_service_time("0.5+0.02*out");
  ASSERT_TRUE(service);
  EXPECT_EQ(service->of(0), 500 * kMillisecond);
  EXPECT_EQ(service->of(100), 2'500 * kMillisecond);
  EXPECT_EQ(service->of(7), ServiceTime{}.of(7)) << "the default is the same";
}

TEST(ServiceTime, EitherPartMayBeMissing) {
  EXPECT_EQ(parse_service_time("2")->of(1000), 2 * kSecond);
  EXPECT_EQ(parse_service_time("0.25*out")->of(4), kSecond);
  EXPECT_EQ(parse_service_time(" 1 + 1e-3 * out ")->of(1000), 2 * kSecond);
  EXPECT_EQ(parse_service_time("1e+1+0*out")->of(5), 10 * kSecond);
}

TEST(ServiceTime, WhatIsNotATimeIsRefusedWithAnExample) {
  for (const char* text : {"", "x", "0.5+", "+*out", "*out", "0.5+0.02*in", "-1", "1+-1*out", "nan", "inf", "1+2+3*out",
                           "86401", "1+61*out", "1,5"}) {
    const auto service = parse_service_time(text);
    ASSERT_FALSE(service) << text;
    EXPECT_NE(service.error().message.find("0.5+0.02*out"), std::string::npos) << service.error().message;
  }
}

TEST(ServiceTime, SaturatesInsteadOfWrapping) {
  EXPECT_EQ(parse_service_time("86400+60*out")->of(100'000'000), 10 * 366 * kDay);
}

}  // namespace
}  // namespace weir
