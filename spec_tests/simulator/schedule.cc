#include "spec_tests/simulator/schedule.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace futures::simulator {

std::string to_text(const Schedule& schedule) {
  return absl::StrJoin(schedule, " ", [](std::string* text, const Deviation& deviation) {
    absl::StrAppend(text, deviation.choice, ":", deviation.option);
  });
}

std::optional<Schedule> parse_schedule(std::string_view text) {
  Schedule schedule;
  for (const std::string_view pair : absl::StrSplit(text, ' ', absl::SkipWhitespace())) {
    const std::vector<std::string_view> numbers = absl::StrSplit(pair, ':');
    Deviation deviation;
    if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &deviation.choice) ||
        !absl::SimpleAtoi(numbers[1], &deviation.option) || deviation.choice < 0 || deviation.option < 1) {
      return std::nullopt;
    }
    if (!schedule.empty() && schedule.back().choice >= deviation.choice) return std::nullopt;
    schedule.push_back(deviation);
  }
  return schedule;
}

}  // namespace futures::simulator
