// Names of a body's members and what they are to each operation.
//
//   member_of(Operation::kResponses, "max_output_tokens");   // Member::kCap
//   member_of(Operation::kMessages, "something_new");        // Member::kPrompt: what might become prompt text is
//   counted
//
// Internal to this folder. Immutable and thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "providers/operation.h"

namespace weir {

enum class Member : std::uint8_t {
  kPrompt,   // unknown ones too
  kSetting,  // never becomes prompt text
  kModel,
  kMessages,
  kInput,  // of embeddings
  kItems,  // `input` of responses
  kPrompts,
  kText,  // one text
  kPromptTemplate,
  kStream,
  kStreamOptions,
  kCap,
  kChoices,
  kBestOf,
  kTools,
  kToolChoice,
  kUser,
  kSafetyIdentifier,
  kUserMetadata,
  kSystem,
  kServiceTier,
  kThinking,
  kPreviousResponse,
  kConversation,
  kBackground,
  kContainer,
  kContents,
  kSystemInstruction,
  kGenerationConfig,
  kGenerateContentRequest,
  kCachedContent,
  kOptions,
  kImages,
  kContext,
};

Member member_of(Operation operation, std::string_view key);

}  // namespace weir
