#include "model/key_attributes.h"

namespace weir {

void set_key(const Consumer& consumer, Attributes& out) {
  out.consumer = &consumer;
  out.set(Attribute::kKey, consumer.name);
  for (const Attribute attribute : {Attribute::kTeam, Attribute::kApp}) {
    const auto found = consumer.metadata.find(std::string(to_string(attribute)));
    if (found != consumer.metadata.end() && !found->second.empty()) out.set(attribute, found->second);
  }
}

}  // namespace weir
