#include "providers/request_members.h"

#include <algorithm>
#include <array>

namespace weir {
namespace {

constexpr unsigned bit(Operation operation) {
  return 1u << static_cast<unsigned>(operation);
}

constexpr unsigned kChat = bit(Operation::kChatCompletions);
constexpr unsigned kResponses = bit(Operation::kResponses);
constexpr unsigned kCompletions = bit(Operation::kCompletions);
constexpr unsigned kEmbeddings = bit(Operation::kEmbeddings);
constexpr unsigned kOpenAi = kChat | kResponses | kCompletions | kEmbeddings;
constexpr unsigned kAnthropic = bit(Operation::kMessages) | bit(Operation::kCountTokens);
constexpr unsigned kGeminiCount = bit(Operation::kGeminiCountTokens);
constexpr unsigned kGemini = bit(Operation::kGenerate) | bit(Operation::kStreamGenerate) | kGeminiCount;
constexpr unsigned kOllamaChat = bit(Operation::kOllamaChat);
constexpr unsigned kOllamaGenerate = bit(Operation::kOllamaGenerate);
constexpr unsigned kOllamaEmbed = bit(Operation::kOllamaEmbed);
constexpr unsigned kOllama = kOllamaChat | kOllamaGenerate | kOllamaEmbed;

struct KnownMember {
  std::string_view name;
  Member member;
  unsigned operations;
};

// Ordered by length of the name, so that a look-up compares only names of its own length.
constexpr auto kKnown = [] {
  std::array known{
      KnownMember{"model", Member::kModel, kOpenAi | kAnthropic | kGemini | kOllama},
      KnownMember{"messages", Member::kMessages, kChat | kAnthropic | kOllamaChat},
      KnownMember{"input", Member::kInput, kEmbeddings | kOllamaEmbed},
      KnownMember{"input", Member::kItems, kResponses},
      KnownMember{"prompt", Member::kPrompts, kCompletions},
      KnownMember{"prompt", Member::kPromptTemplate, kResponses},
      KnownMember{"prompt", Member::kText, kOllamaGenerate},
      KnownMember{"instructions", Member::kText, kResponses},
      KnownMember{"suffix", Member::kText, kCompletions | kOllamaGenerate},
      KnownMember{"template", Member::kText, kOllamaGenerate},
      KnownMember{"system", Member::kText, kOllamaGenerate},
      KnownMember{"system", Member::kSystem, kAnthropic},
      KnownMember{"stream", Member::kStream, kChat | kResponses | kCompletions | kAnthropic | kOllama},
      KnownMember{"stream_options", Member::kStreamOptions, kChat | kResponses | kCompletions},
      KnownMember{"max_tokens", Member::kCap, kChat | kCompletions | kAnthropic},
      KnownMember{"max_completion_tokens", Member::kCap, kChat},
      KnownMember{"max_output_tokens", Member::kCap, kResponses},
      KnownMember{"n", Member::kChoices, kChat | kCompletions},
      KnownMember{"best_of", Member::kBestOf, kCompletions},
      KnownMember{"tools", Member::kTools, kChat | kResponses | kAnthropic | kGemini | kOllamaChat},
      KnownMember{"functions", Member::kTools, kChat},
      KnownMember{"tool_choice", Member::kToolChoice, kChat | kResponses | kAnthropic},
      KnownMember{"function_call", Member::kToolChoice, kChat},
      KnownMember{"toolConfig", Member::kToolChoice, kGemini},
      KnownMember{"tool_config", Member::kToolChoice, kGemini},
      KnownMember{"user", Member::kUser, kOpenAi},
      KnownMember{"safety_identifier", Member::kSafetyIdentifier, kOpenAi},
      KnownMember{"metadata", Member::kUserMetadata, kAnthropic},
      KnownMember{"metadata", Member::kSetting, kOpenAi},
      KnownMember{"service_tier", Member::kServiceTier, kOpenAi | kAnthropic | kGemini},
      KnownMember{"serviceTier", Member::kServiceTier, kGemini},
      KnownMember{"thinking", Member::kThinking, kAnthropic},
      KnownMember{"container", Member::kContainer, kAnthropic},
      KnownMember{"previous_response_id", Member::kPreviousResponse, kResponses},
      KnownMember{"conversation", Member::kConversation, kResponses},
      KnownMember{"background", Member::kBackground, kResponses},
      KnownMember{"contents", Member::kContents, kGemini},
      KnownMember{"systemInstruction", Member::kSystemInstruction, kGemini},
      KnownMember{"system_instruction", Member::kSystemInstruction, kGemini},
      KnownMember{"generationConfig", Member::kGenerationConfig, kGemini},
      KnownMember{"generation_config", Member::kGenerationConfig, kGemini},
      KnownMember{"cachedContent", Member::kCachedContent, kGemini},
      KnownMember{"cached_content", Member::kCachedContent, kGemini},
      KnownMember{"generateContentRequest", Member::kGenerateContentRequest, kGeminiCount},
      KnownMember{"generate_content_request", Member::kGenerateContentRequest, kGeminiCount},
      KnownMember{"options", Member::kOptions, kOllama},
      KnownMember{"images", Member::kImages, kOllamaGenerate},
      KnownMember{"context", Member::kContext, kOllamaGenerate},
      KnownMember{"keep_alive", Member::kSetting, kOllama},
      KnownMember{"think", Member::kSetting, kOllama},
      KnownMember{"stop", Member::kSetting, kChat | kCompletions},
      KnownMember{"stop_sequences", Member::kSetting, kAnthropic},
      KnownMember{"logit_bias", Member::kSetting, kChat | kCompletions},
      KnownMember{"prompt_cache_key", Member::kSetting, kOpenAi},
      KnownMember{"prompt_cache_retention", Member::kSetting, kOpenAi},
      KnownMember{"modalities", Member::kSetting, kChat},
      KnownMember{"audio", Member::kSetting, kChat},
      KnownMember{"reasoning_effort", Member::kSetting, kChat},
      KnownMember{"verbosity", Member::kSetting, kChat},
      KnownMember{"reasoning", Member::kSetting, kResponses},
      KnownMember{"include", Member::kSetting, kResponses},
      KnownMember{"truncation", Member::kSetting, kResponses},
      KnownMember{"encoding_format", Member::kSetting, kEmbeddings},
      KnownMember{"anthropic_version", Member::kSetting, kAnthropic},
      KnownMember{"inference_geo", Member::kSetting, kAnthropic},
      KnownMember{"safetySettings", Member::kSetting, kGemini},
      KnownMember{"safety_settings", Member::kSetting, kGemini},
      KnownMember{"labels", Member::kSetting, kGemini},
  };
  std::sort(known.begin(), known.end(),
            [](const KnownMember& a, const KnownMember& b) { return a.name.size() < b.name.size(); });
  return known;
}();

constexpr std::size_t kLongestKnown = kKnown.back().name.size();

constexpr auto kFirstOfLength = [] {
  std::array<std::uint8_t, kLongestKnown + 2> first{};
  for (std::size_t length = 0; length < first.size(); ++length) {
    while (first[length] < kKnown.size() && kKnown[first[length]].name.size() < length) ++first[length];
  }
  return first;
}();

}  // namespace

Member member_of(Operation operation, std::string_view key) {
  if (key.size() > kLongestKnown) return Member::kPrompt;
  for (std::size_t i = kFirstOfLength[key.size()]; i < kFirstOfLength[key.size() + 1]; ++i) {
    if (kKnown[i].name == key && (kKnown[i].operations & bit(operation)) != 0) return kKnown[i].member;
  }
  return Member::kPrompt;
}

}  // namespace weir
