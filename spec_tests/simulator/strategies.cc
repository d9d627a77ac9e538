#include "spec_tests/simulator/strategies.h"

#include <algorithm>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"

namespace futures::simulator {

bool Replay::next_run() {
  choice_ = 0;
  next_ = 0;
  return !std::exchange(done_, true);
}

int Replay::choose(const Choice& choice) {
  const int number = choice_++;
  if (next_ == schedule_.size() || schedule_[next_].choice != number) return 0;
  // A schedule of another program, or of another version of this one, may ask for what there is not.
  return std::min(schedule_[next_++].option, choice.options - 1);
}

bool Bytes::next_run() {
  next_ = 0;
  return !std::exchange(done_, true);
}

int Bytes::choose(const Choice& choice) { return next_ == bytes_.size() ? 0 : bytes_[next_++] % choice.options; }

Exhaustive::Exhaustive(Bounds bounds) : bounds_(bounds) {
  if (bounds.only_races && bounds.faults > 0) LOG(FATAL) << "faults are not looked at for conflicts";
}

bool Exhaustive::is_affordable(const Made& made, int option) const {
  const bool is_fault = option >= made.first_fault;
  const bool is_preemption = made.preempts && option > 0 && !is_fault;
  const bool is_reordering = made.reorders && option > 0;
  if (bounds_.only_races && is_preemption && !made.races) return false;
  return made.preemptions_before + (is_preemption ? 1 : 0) <= bounds_.preemptions &&
         made.faults_before + (is_fault ? 1 : 0) <= bounds_.faults &&
         made.reorderings_before + (is_reordering ? 1 : 0) <= bounds_.reorderings;
}

void Exhaustive::count(const Made& made) {
  if (made.option >= made.first_fault) {
    ++faults_;
  } else if (made.preempts && made.option > 0) {
    ++preemptions_;
  } else if (made.reorders && made.option > 0) {
    ++reorderings_;
  }
}

bool Exhaustive::next_run() {
  at_ = 0;
  preemptions_ = 0;
  faults_ = 0;
  reorderings_ = 0;
  if (!started_) {
    started_ = true;
    return true;
  }
  // The deepest choice that has an option left.
  for (; !path_.empty(); path_.pop_back()) {
    Made& made = path_.back();
    while (++made.option < made.options) {
      if (is_affordable(made, made.option)) return true;
    }
  }
  return false;
}

int Exhaustive::choose(const Choice& choice) {
  if (at_ == path_.size()) {
    path_.push_back({.option = 0,
                     .options = choice.options,
                     .first_fault = choice.first_fault,
                     .preempts = choice.preempts,
                     .reorders = choice.kind == Choice::Kind::kStoreRead || choice.kind == Choice::Kind::kStorePlace,
                     .preemptions_before = preemptions_,
                     .faults_before = faults_,
                     .reorderings_before = reorderings_});
  }
  const Made& made = path_[at_++];
  if (made.options != choice.options) LOG(FATAL) << "the program does not do the same when its schedule is the same";
  count(made);
  return made.option;
}

std::string Exhaustive::name() const {
  return absl::StrCat("exhaustive, at most ", bounds_.preemptions, " preemptions, ", bounds_.faults, " faults, ",
                      bounds_.reorderings, " reorderings", bounds_.only_races ? ", only races" : "");
}

bool RandomWalk::next_run() {
  faults_happen_ = options_.faults && run_ % 2 == 1;
  return run_++ < options_.runs;
}

int RandomWalk::choose(const Choice& choice) {
  const auto below = [this](int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); };
  const int faults = (options_.only_spurious ? choice.spurious_end : choice.options) - choice.first_fault;
  if (faults > 0 && faults_happen_ && below(options_.fault_one_in) == 0) return choice.first_fault + below(faults);
  if (choice.first_fault < 2) return 0;
  if (choice.preempts && static_cast<double>(random_() >> 11) * 0x1p-53 < options_.stay) return 0;
  return below(choice.first_fault);
}

std::string RandomWalk::name() const { return absl::StrCat("random walk, seed ", options_.seed); }

bool Pct::next_run() {
  longest_ = std::max(longest_, choices_);
  choices_ = 0;
  priorities_.clear();
  lowest_ = static_cast<std::uint64_t>(options_.depth);
  changes_.clear();
  for (int i = 1; i < options_.depth; ++i) {
    changes_.push_back(static_cast<int>(random_() % static_cast<std::uint64_t>(longest_)));
  }
  return run_++ < options_.runs;
}

std::uint64_t& Pct::priority_of(int thread) {
  while (priorities_.size() <= static_cast<std::size_t>(thread)) {
    // Above those that changes give.
    priorities_.push_back((random_() >> 1) + static_cast<std::uint64_t>(options_.depth) + 1);
  }
  return priorities_[static_cast<std::size_t>(thread)];
}

int Pct::choose(const Choice& choice) {
  const int number = choices_++;
  const bool is_of_memory = choice.kind == Choice::Kind::kStoreRead || choice.kind == Choice::Kind::kStorePlace;
  if (choice.kind == Choice::Kind::kWaiter || is_of_memory) {
    return static_cast<int>(random_() % static_cast<std::uint64_t>(choice.options));
  }
  if (choice.kind != Choice::Kind::kThread || choice.first_fault < 2) return 0;
  if (std::find(changes_.begin(), changes_.end(), number) != changes_.end()) priority_of(choice.threads[0]) = --lowest_;
  int best = 0;
  for (int option = 1; option < choice.first_fault; ++option) {
    if (priority_of(choice.threads[option]) > priority_of(choice.threads[best])) best = option;
  }
  return best;
}

std::string Pct::name() const { return absl::StrCat("PCT, depth ", options_.depth, ", seed ", options_.seed); }

}  // namespace futures::simulator
