// Runs at build time: turns an encoder file of the npm package `tiktoken` into the table of src/tokens/table_format.h,
// and the ranges of src/tokens/unicode_classes.txt into a two-stage table.
//
//   compile_ranks ranks encoders/o200k_base.json o200k_base.bin
//   compile_ranks unicode unicode_classes.txt unicode.bin
//
// Slots are filled in the order of ranks: frequent tokens get the first slot they hash to. Most pieces are tokens,
// while most pairs do not merge: pairs get the emptier table, where a search in vain is short.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokens/table_format.h"

namespace {

using namespace weir;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "compile_ranks: %s\n", message.c_str());
  std::exit(1);
}

std::string read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const char* path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) fail(std::string("cannot write ") + path);
}

std::string from_base64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned value = 0, bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) fail("not base64: " + std::string(text));
    value = value << 6 | static_cast<unsigned>(digit);
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(value >> (bits -= 8) & 0xFF);
  }
  return bytes;
}

struct Ranks {
  std::vector<std::string> tokens;  // by id; empty where there is none
  std::unordered_map<std::string, std::uint32_t> ids;
};

// Lines of `"bpe_ranks"`: a mark, the first id, then one token after the other in base64.
Ranks read_ranks(const std::string& json) {
  static constexpr std::string_view kKey = "\"bpe_ranks\":\"";
  const std::size_t at = json.find(kKey);
  if (at == std::string::npos) fail("no bpe_ranks in the encoder file");
  const std::size_t end = json.find('"', at + kKey.size());
  if (end == std::string::npos) fail("bpe_ranks has no end");
  std::string text = json.substr(at + kKey.size(), end - at - kKey.size());
  for (std::size_t n = 0; (n = text.find("\\n", n)) != std::string::npos;) text.replace(n, 2, "\n");
  Ranks ranks;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    std::uint32_t id = 0;
    if (!(words >> word)) continue;
    if (word != "!" || !(words >> id)) fail("unknown line in bpe_ranks");
    for (; words >> word; ++id) {
      std::string token = from_base64(word);
      if (token.empty() || token.size() > kMaxTokenBytes || id >= kMaxTokenIds) fail("token out of bounds");
      if (ranks.tokens.size() <= id) ranks.tokens.resize(id + 1);
      ranks.tokens[id] = token;
      if (!ranks.ids.emplace(std::move(token), id).second) fail("a token has two ids");
    }
  }
  if (ranks.tokens.size() < 50'000) fail("too few tokens");
  return ranks;
}

std::uint32_t id_of(const Ranks& ranks, const std::string& token) {
  const auto found = ranks.ids.find(token);
  return found == ranks.ids.end() ? kNoToken : found->second;
}

// The two tokens that become `token` when its bytes are merged, lowest rank first. False: merging never gets there.
bool last_merge(const Ranks& ranks, const std::string& token, std::uint32_t& left, std::uint32_t& right) {
  std::vector<std::string> parts;
  for (const char c : token) parts.emplace_back(1, c);
  while (parts.size() > 2) {
    std::uint32_t best = kNoToken;
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const std::uint32_t id = id_of(ranks, parts[i] + parts[i + 1]);
      if (id < best) best = id, where = i;
    }
    if (best == kNoToken) return false;
    parts[where] += parts[where + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
  if (parts.size() != 2) return false;
  left = id_of(ranks, parts[0]);
  right = id_of(ranks, parts[1]);
  return true;
}

// Bits of a table that is at most four fifths full.
std::uint32_t bits_for(std::size_t entries) {
  std::uint32_t bits = 6;
  while ((std::size_t{4} << bits) / 5 < entries) ++bits;
  return bits;
}

template <typename T>
std::uint32_t append(std::string& table, const std::vector<T>& part) {
  table.resize((table.size() + 63) / 64 * 64);
  const std::size_t at = table.size();
  table.append(reinterpret_cast<const char*>(part.data()), part.size() * sizeof(T));
  return static_cast<std::uint32_t>(at);
}

std::vector<TokenSlot> token_slots(const Ranks& ranks, std::uint32_t bits) {
  std::vector<TokenSlot> slots(std::size_t{1} << bits, TokenSlot{0, 0, 0});
  for (std::uint32_t id = 0; id < ranks.tokens.size(); ++id) {
    const std::string& token = ranks.tokens[id];
    if (token.empty()) continue;
    const auto* bytes = reinterpret_cast<const unsigned char*>(token.data());
    const std::uint64_t head = token_head(bytes, token.size());
    const std::uint64_t hash = token_hash(bytes, token.size(), head);
    std::size_t slot = hash >> (64 - bits);
    while (slots[slot].check != 0) slot = (slot + 1) % slots.size();
    slots[slot] = {head, id, token_check(hash, token.size())};
  }
  return slots;
}

std::string compile(const Ranks& ranks) {
  TableHeader header{};
  header.magic = kTableMagic;
  header.ids = static_cast<std::uint32_t>(ranks.tokens.size());
  header.token_bits = bits_for(ranks.ids.size());
  std::vector<std::uint64_t> pairs;
  std::vector<std::uint32_t> byte_pairs(65'536, kNoToken), offsets;
  std::vector<char> bytes;
  std::vector<std::array<std::uint32_t, 3>> merges;
  for (unsigned byte = 0; byte < 256; ++byte) {
    header.byte_ids[byte] = id_of(ranks, std::string(1, static_cast<char>(byte)));
    if (header.byte_ids[byte] == kNoToken) fail("a byte has no token");
  }
  for (std::uint32_t id = 0; id < header.ids; ++id) {
    const std::string& token = ranks.tokens[id];
    offsets.push_back(static_cast<std::uint32_t>(bytes.size()));
    bytes.insert(bytes.end(), token.begin(), token.end());
    header.max_token_bytes = std::max(header.max_token_bytes, static_cast<std::uint32_t>(token.size()));
    std::uint32_t left = 0, right = 0;
    if (token.size() < 2 || !last_merge(ranks, token, left, right)) continue;
    if ((ranks.tokens[left].size() > 1 && left >= id) || (ranks.tokens[right].size() > 1 && right >= id)) {
      fail(
          "a token has a lower rank than a part of it: MergeScratch::merge_what_is_frequent relies on that never "
          "being");
    }
    merges.push_back({left, right, id});
    if (token.size() == 2)
      byte_pairs[std::size_t{static_cast<unsigned char>(token[0])} << 8 | static_cast<unsigned char>(token[1])] = id;
  }
  offsets.push_back(static_cast<std::uint32_t>(bytes.size()));
  bytes.insert(bytes.end(), 8, '\0');
  header.pair_bits = bits_for(merges.size());
  const std::uint32_t filter_bits = header.pair_bits + kFilterBits;
  std::vector<std::uint64_t> filter(std::size_t{1} << (filter_bits - 6), 0);
  pairs.assign(std::size_t{1} << header.pair_bits, kEmptyPair);
  for (const auto& [left, right, id] : merges) {
    const std::uint64_t key = pair_key(left, right);
    std::size_t slot = pair_hash(key) >> (64 - header.pair_bits);
    const std::uint64_t bit = pair_hash(key) >> (64 - filter_bits);
    filter[bit / 64] |= std::uint64_t{1} << bit % 64;
    while (pairs[slot] != kEmptyPair) slot = (slot + 1) % pairs.size();
    pairs[slot] = key << kPairIdBits | id;
  }
  std::string table(sizeof header, '\0');
  header.tokens_at = append(table, token_slots(ranks, header.token_bits));
  header.pairs_at = append(table, pairs);
  header.filter_at = append(table, filter);
  header.byte_pairs_at = append(table, byte_pairs);
  header.offsets_at = append(table, offsets);
  header.bytes_at = append(table, bytes);
  header.size = static_cast<std::uint32_t>(table.size());
  std::memcpy(table.data(), &header, sizeof header);
  return table;
}

// Words such as "U41-5a" and "Mb7": class, first and last code point.
std::string compile_unicode(const std::string& text) {
  static constexpr std::string_view kLetters = "OS?NULBM";  // in the order of CharClass; newlines are ASCII
  std::string classes(0x110000, '\0');
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      const std::size_t kind = kLetters.find(word[0]);
      char* rest = nullptr;
      const unsigned long begin = std::strtoul(word.c_str() + 1, &rest, 16);
      const unsigned long end = *rest == '-' ? std::strtoul(rest + 1, nullptr, 16) : begin;
      if (kind == std::string_view::npos || begin > end || end >= classes.size()) fail("unknown range " + word);
      std::fill(classes.begin() + static_cast<std::ptrdiff_t>(begin),
                classes.begin() + static_cast<std::ptrdiff_t>(end) + 1, static_cast<char>(kind));
    }
  }
  std::string index, blocks;
  std::map<std::string, std::uint16_t> known;
  for (std::size_t at = 0; at < classes.size(); at += 128) {
    const auto [block, added] = known.try_emplace(classes.substr(at, 128), static_cast<std::uint16_t>(known.size()));
    if (added) blocks += block->first;
    index.append(reinterpret_cast<const char*>(&block->second), 2);
  }
  return index + blocks;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) fail("usage: compile_ranks ranks|unicode SOURCE TABLE");
  const std::string source = read_file(argv[2]);
  write_file(argv[3], std::string_view(argv[1]) == "unicode" ? compile_unicode(source) : compile(read_ranks(source)));
}
