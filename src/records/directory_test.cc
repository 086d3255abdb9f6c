#include "records/directory.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <set>

#include "records/metadata.h"

namespace weir {
namespace {

std::array<unsigned char, 24> bytes_from(unsigned seed) {
  std::array<unsigned char, 24> bytes;
  for (unsigned char& b : bytes) b = static_cast<unsigned char>(seed = seed * 1103515245u + 12345u, seed >> 16);
  return bytes;
}

TEST(Keys, HaveTheirFormAndDiffer) {
  std::set<std::string> keys;
  for (unsigned seed = 0; seed < 500; ++seed) {
    const std::string key = make_key(bytes_from(seed));
    ASSERT_EQ(key.size(), 36u);
    EXPECT_TRUE(key.starts_with("weir_"));
    EXPECT_TRUE(is_well_formed_key(key)) << key;
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), 500u);
}

TEST(Keys, EveryTypoIsNoticed) {
  const std::string key = make_key(bytes_from(7));
  for (std::size_t at = 0; at < key.size(); ++at) {
    for (const char c : {'0', 'Z', 'a', '_', '-', ' '}) {
      std::string typo = key;
      if (typo[at] == c) continue;
      typo[at] = c;
      EXPECT_FALSE(is_well_formed_key(typo)) << typo;
    }
  }
  EXPECT_FALSE(is_well_formed_key(""));
  EXPECT_FALSE(is_well_formed_key(key + "0"));
  EXPECT_FALSE(is_well_formed_key(key.substr(0, 35)));
}

TEST(Keys, TheHashIsHmacSha256AndTheContextCanBeReused) {
  const std::string secret(32, 's');
  KeyHasher hasher(secret);
  for (const std::string key : {"first", "", "second", "first"}) {
    KeyHash expected{};
    unsigned length = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(key.data()), key.size(), expected.data(), &length);
    EXPECT_TRUE(hasher.hash(key).same(expected));
  }
  EXPECT_FALSE(KeyHasher("other").hash("first").same(hasher.hash("first")));
}

TEST(ConsumerSnapshot, FindsByHashAndName) {
  KeyHasher hasher("secret");
  ConsumerSnapshot snapshot;
  EXPECT_EQ(snapshot.find(hasher.hash("k")), nullptr);
  for (int i = 0; i < 100; ++i) {
    Consumer consumer;
    consumer.name = "c" + std::to_string(i);
    snapshot.add({hasher.hash("k" + std::to_string(i)), std::make_shared<const Consumer>(consumer)});
  }
  EXPECT_EQ(snapshot.size(), 100u);
  EXPECT_EQ(snapshot.find(hasher.hash("k42"))->name, "c42");
  EXPECT_EQ(snapshot.find(hasher.hash("k100")), nullptr);
  EXPECT_EQ(snapshot.find_name("c7")->name, "c7");
  EXPECT_EQ(snapshot.find_name("nobody"), nullptr);
}

TEST(Metadata, IsFlattened) {
  const auto flat = flatten_metadata(R"({"plan":{"seats":5,"name":"pro"},"ok":true,"n":null,"list":["a",{"b":1.5}]})");
  ASSERT_TRUE(flat);
  const std::map<std::string, std::string> expected = {
      {"plan.seats", "5"}, {"plan.name", "pro"}, {"ok", "true"}, {"list.0", "a"}, {"list.1.b", "1.5"}};
  EXPECT_EQ(*flat, expected);
}

TEST(Metadata, WhatIsNoObjectIsRefused) {
  for (const char* json : {"", "{", "[]", "5", "{\"a\":1}x", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1},\"a.b\":2}"}) {
    EXPECT_FALSE(flatten_metadata(json)) << json;
  }
  std::string deep = "1";
  for (int i = 0; i < 16; ++i) deep = "{\"a\":" + deep + "}";
  EXPECT_TRUE(flatten_metadata(deep)) << "sixteen levels";
  EXPECT_FALSE(flatten_metadata("{\"a\":" + deep + "}"));
  EXPECT_FALSE(flatten_metadata("{\"a\":\"" + std::string(17 << 10, 'x') + "\"}"));
  std::string many = "{";
  for (int i = 0; i < 257; ++i) many += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
  EXPECT_FALSE(flatten_metadata(many + "}"));
  EXPECT_EQ(one_line_json("{ \"a\" : 1,\n \"b\":[ ] }"), "{\"a\":1,\"b\":[]}");
  EXPECT_EQ(one_line_json("nonsense"), "{}");
}

TEST(Metadata, NamesAndValues) {
  EXPECT_TRUE(is_consumer_name("Ann.b_c-9"));
  EXPECT_TRUE(is_consumer_name(std::string(64, 'a')));
  for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("ä")}) {
    EXPECT_FALSE(is_consumer_name(bad));
  }
  EXPECT_TRUE(is_plain_value(""));
  EXPECT_TRUE(is_plain_value("Änne 日本"));
  EXPECT_TRUE(is_plain_value(std::string(256, 'a')));
  for (const std::string& bad : {std::string(257, 'a'), std::string("a\nb"), std::string("\x7F"),
                                 std::string("\xC2\x85"), std::string("\xFF"), std::string(1, '\0')}) {
    EXPECT_FALSE(is_plain_value(bad));
  }
}

}  // namespace
}  // namespace weir
