#include "spec_tests/judges/world.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/judges/world_explorer.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {
namespace {

std::string_view name_of(model::Visible visible) {
  switch (visible) {
    case model::Visible::kAbsent:
      return "no future";
    case model::Visible::kPending:
      return "pending";
    case model::Visible::kRunning:
      return "running";
    case model::Visible::kFinished:
      return "finished";
    case model::Visible::kCancelled:
      return "cancelled";
  }
  return "?";
}

}  // namespace

std::string to_string(const Observation& observation) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < observation.calls.size(); ++i) {
    std::string& part = parts.emplace_back(absl::StrCat("c", i, " ", name_of(observation.calls[i])));
    const model::Reply& outcome = observation.outcomes[i];
    if (outcome.kind != model::ReplyKind::kNone) absl::StrAppend(&part, " (", to_string(outcome), ")");
    const bool body_is_news = observation.calls[i] == model::Visible::kAbsent ||
                              observation.calls[i] == model::Visible::kPending ||
                              observation.calls[i] == model::Visible::kCancelled;
    if (observation.started[i] && body_is_news) absl::StrAppend(&part, ", body begun");
    if (!observation.started[i] && !body_is_news) absl::StrAppend(&part, ", body not begun");
  }
  for (std::size_t i = 0; i < observation.busy.size(); ++i) {
    std::string& part = parts.emplace_back(absl::StrCat("client ", i, observation.busy[i] ? " busy" : " idle"));
    const model::Reply& reply = observation.replies[i];
    if (reply.kind != model::ReplyKind::kNone) absl::StrAppend(&part, ", last reply ", to_string(reply));
  }
  for (std::size_t i = 0; i < observation.callbacks_ran.size(); ++i) {
    if (observation.callbacks_ran[i]) parts.push_back(absl::StrCat("r", i, " ran"));
  }
  return absl::StrJoin(parts, "; ");
}

WorldSet::WorldSet(const model::Policy& policy, const Trace& trace, const WorldOptions& options)
    : options_(options),
      trace_(std::make_unique<const Trace>(normalised(trace))),
      explorer_(std::make_unique<const Explorer>(policy, *trace_, options.reduce)) {
  worlds_.push_back(explorer_->start());
  look();
}

WorldSet::~WorldSet() = default;
WorldSet::WorldSet(WorldSet&&) noexcept = default;
WorldSet& WorldSet::operator=(WorldSet&&) noexcept = default;

bool WorldSet::issue(int index) {
  const Step& step = trace_->steps[static_cast<std::size_t>(index)];
  const auto client = static_cast<model::Client>(step.client);
  const auto makes_sense = [&](const World& world) { return explorer_->can_issue(world, client, step.statement); };
  if (worlds_.empty() || !std::all_of(worlds_.begin(), worlds_.end(), makes_sense)) return false;
  for (World& world : worlds_) explorer_->issue(world, client, step.statement, index);
  run_to_quiet("step", index);
  return true;
}

void WorldSet::finish() {
  for (World& world : worlds_) {
    for (int gate = 0; gate < kGatesMax; ++gate) world.released |= bit(gate);
  }
  run_to_quiet("epilogue", 0);
  const Statement shutdown{.verb = Verb::kShutdown, .wait = true, .body = {}};
  for (World& world : worlds_) {
    if (!world.destroyed) explorer_->issue(world, static_cast<model::Client>(trace_->clients), shutdown, /*step=*/-1);
  }
  run_to_quiet("epilogue", 1);
}

void WorldSet::run_to_quiet(const char* where, int index) {
  Explorer::Quiet quiet = explorer_->run_to_quiet(std::move(worlds_), static_cast<std::size_t>(options_.worlds_max));
  worlds_ = std::move(quiet.worlds);
  explored_ += quiet.explored;
  if (quiet.gave_up) give_up(where, index);
  look();
}

void WorldSet::give_up(const char* where, int index) {
  worlds_.clear();
  status_ = absl::ResourceExhaustedError(absl::StrCat("trace too large: ", where, " ", index,
                                                      " leads through more than ", options_.worlds_max, " worlds"));
}

std::size_t WorldSet::size() const { return worlds_.size(); }

void WorldSet::look() {
  looks_.clear();
  look_of_.clear();
  absl::flat_hash_map<std::string, std::size_t> index_of;  // By the text of the observation, which tells all apart.
  for (const World& world : worlds_) {
    Observation seen = explorer_->observe(world);
    // One world is the rule, and text is slow.
    std::string text = worlds_.size() > 1 ? to_string(seen) : std::string();
    const auto [place, is_new] = index_of.try_emplace(std::move(text), looks_.size());
    look_of_.push_back(place->second);
    if (is_new) looks_.push_back(std::move(seen));
  }
}

bool WorldSet::contains(const Observation& observation) const {
  return std::find(looks_.begin(), looks_.end(), observation) != looks_.end();
}

void WorldSet::keep(const Observation& observation) {
  const auto look = std::find(looks_.begin(), looks_.end(), observation);
  const auto kept = static_cast<std::size_t>(look - looks_.begin());
  std::vector<World> worlds;
  for (std::size_t i = 0; i < worlds_.size(); ++i) {
    if (look_of_[i] == kept) worlds.push_back(std::move(worlds_[i]));
  }
  worlds_ = std::move(worlds);
  looks_.clear();
  if (!worlds_.empty()) looks_.push_back(observation);
  look_of_.assign(worlds_.size(), 0);
}

}  // namespace futures::spec_tests
