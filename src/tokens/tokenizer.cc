#include "tokens/tokenizer.h"

#include <array>

#include "tokens/pre_tokens.h"
#include "tokens/tokenizer_impl.h"
#include "tokens/utf8_text.h"

namespace weir {
namespace {

class Counting {
 public:
  explicit Counting(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  void piece(const unsigned char* bytes, std::size_t size, const unsigned char* limit) {
    LongPiece long_piece;
    tokens_ += count_piece(vocabulary_, bytes, size, limit, scratch_, long_piece, kBatchWindow);
  }
  std::int64_t tokens() const { return tokens_; }

 private:
  const Vocabulary vocabulary_;
  MergeScratch scratch_;
  std::int64_t tokens_ = 0;
};

class Writing {
 public:
  Writing(const Vocabulary& vocabulary, std::vector<std::uint32_t>& ids) : vocabulary_(vocabulary), ids_(ids) {}

  void piece(const unsigned char* bytes, std::size_t size, const unsigned char* limit) {
    if (const std::uint32_t id = vocabulary_.find(bytes, size, limit); id != kNoToken) {
      ids_.push_back(id);
    } else if (size > kMaxShortPiece) {
      LongPiece().count(vocabulary_, scratch_, bytes, size, kBatchWindow, &ids_);
    } else {
      std::array<std::uint32_t, kMaxShortPiece> merged;
      const std::size_t count = merge_short(vocabulary_, bytes, size, merged.data());
      ids_.insert(ids_.end(), merged.begin(), merged.begin() + static_cast<std::ptrdiff_t>(count));
    }
  }

 private:
  const Vocabulary vocabulary_;
  MergeScratch scratch_;
  std::vector<std::uint32_t>& ids_;
};

template <Encoding E, typename Sink>
void cut(std::string_view text, Sink& sink) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* limit = bytes + text.size();
  for (std::size_t at = 0; at < text.size();) {
    Scan scan;
    const std::size_t end = PieceScanner<E>(bytes, at, text.size(), scan).run();
    sink.piece(bytes + at, end - at, limit);
    at = end;
  }
}

template <typename Sink>
void cut_by(Encoding encoding, std::string_view text, Sink& sink) {
  switch (encoding) {
    case Encoding::kO200k:
      return cut<Encoding::kO200k>(text, sink);
    case Encoding::kCl100k:
      return cut<Encoding::kCl100k>(text, sink);
    case Encoding::kP50k:
    case Encoding::kR50k:
      return cut<Encoding::kR50k>(text, sink);
  }
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

const Tokenizer& Tokenizer::of(Encoding encoding) {
  const auto made = [](Encoding one) {
    return new Tokenizer(std::make_unique<const Impl>(Impl{one, Vocabulary::of(one)}));
  };
  // Never destroyed: threads may count until the process is gone.
  static const std::array<const Tokenizer*, kEncodingCount> kAll{made(Encoding::kO200k), made(Encoding::kCl100k),
                                                                 made(Encoding::kP50k), made(Encoding::kR50k)};
  return *kAll[static_cast<std::size_t>(encoding)];
}

Encoding Tokenizer::encoding() const {
  return impl_->encoding;
}

std::int64_t Tokenizer::count(std::string_view text) const {
  std::string copy;
  Counting sink(impl_->vocabulary);
  cut_by(impl_->encoding, valid_utf8(text, copy), sink);
  return sink.tokens();
}

void Tokenizer::encode(std::string_view text, std::vector<std::uint32_t>& ids) const {
  std::string copy;
  Writing sink(impl_->vocabulary, ids);
  cut_by(impl_->encoding, valid_utf8(text, copy), sink);
}

}  // namespace weir
