// How the choices of a run are made. A strategy is asked at each choice point, and between runs whether there is
// another one.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STRATEGIES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STRATEGIES_H_

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "spec_tests/simulator/schedule.h"

namespace futures::simulator {

class Strategy {
 public:
  virtual ~Strategy() = default;
  // Begins a run. Returns false if there is none left.
  virtual bool next_run() = 0;
  // The option that the run takes, from 0 to choice.options - 1.
  virtual int choose(const Choice& choice) = 0;
  // Whether it asks for races. Not under weak memory.
  virtual bool asks_for_races() const { return false; }
  // After a run: what followed its choice `choice`, which let a thread go on, races with what another thread did later
  // (conflicts.h). Perhaps several times for one choice.
  virtual void race(int /*choice*/) {}
  // For reports.
  virtual std::string name() const = 0;
};

// One run, along a schedule.
class Replay final : public Strategy {
 public:
  explicit Replay(Schedule schedule) : schedule_(std::move(schedule)) {}
  bool next_run() override;
  int choose(const Choice& choice) override;
  std::string name() const override { return "replay"; }

 private:
  const Schedule schedule_;
  bool done_ = false;
  int choice_ = 0;
  std::size_t next_ = 0;
};

// One run. Each choice takes a byte, modulo its options; when the bytes are used up, option 0. For a fuzzer.
class Bytes final : public Strategy {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes.begin(), bytes.end()) {}
  bool next_run() override;
  int choose(const Choice& choice) override;
  std::string name() const override { return "bytes"; }

 private:
  const std::vector<std::uint8_t> bytes_;
  bool done_ = false;
  std::size_t next_ = 0;
};

// Every run within the bounds, each once, by depth-first search: the runs without deviations come first.
//
// A preemption takes the processor from a thread that could have gone on. Which thread goes on when one has blocked or
// ended, and whom notify_one wakes, costs nothing and is always tried in full. Under weak memory an operation that
// reads or stores behind a newer store is a reordering.
//
// `only_races` leaves out schedules in which threads do the same as in one that is run: a thread is preempted only
// where what it does next races (conflicts.h) in some run that goes on from there. What another thread does before a
// block that races with none of it comes out the same behind the block, and takes no more preemptions: the thread is
// then preempted one block later, or has blocked by itself. At a choice without a preemption that does not hold: both
// orders of two independent threads are tried there. For programs whose threads meet through sync:: and `meet`
// (simulator.h) alone; without faults, sequentially consistent.
class Exhaustive final : public Strategy {
 public:
  struct Bounds {
    int preemptions = 1;
    int faults = 0;
    int reorderings = 1;
    bool only_races = false;
  };
  explicit Exhaustive(Bounds bounds);
  bool next_run() override;
  int choose(const Choice& choice) override;
  bool asks_for_races() const override { return bounds_.only_races; }
  void race(int choice) override { path_[static_cast<std::size_t>(choice)].races = true; }
  std::string name() const override;

 private:
  // A choice that the last run made.
  struct Made {
    int option;
    int options;
    int first_fault;
    bool preempts;
    bool reorders;  // Whether every option but the first is a reordering.
    int preemptions_before;
    int faults_before;
    int reorderings_before;
    bool races = false;  // What has followed option 0.
  };
  bool is_affordable(const Made& made, int option) const;
  void count(const Made& made);

  const Bounds bounds_;
  std::vector<Made> path_;
  std::size_t at_ = 0;  // In path_: what is before it is repeated, then comes option 0.
  int preemptions_ = 0;
  int faults_ = 0;
  int reorderings_ = 0;
  bool started_ = false;
};

// Each time any thread that can run, with equal probability; or, with the given probability, the thread that runs goes
// on. In every second run faults happen, too, one in `fault_one_in` choices.
class RandomWalk final : public Strategy {
 public:
  struct Options {
    long runs = 1000;
    std::uint64_t seed = 1;
    double stay = 0.5;
    int fault_one_in = 50;
    bool faults = true;  // Whether there are any.
    bool only_spurious = false;  // None but those that may happen at any time.
  };
  explicit RandomWalk(Options options) : options_(options), random_(options.seed) {}
  bool next_run() override;
  int choose(const Choice& choice) override;
  std::string name() const override;

 private:
  const Options options_;
  std::mt19937_64 random_;
  long run_ = 0;
  bool faults_happen_ = false;
};

// Probabilistic concurrency testing (Burckhardt and others, ASPLOS 2010): random priorities, lowered at `depth` - 1
// random moments. Finds a bug that needs `depth` orderings with a probability that does not fall with the length of the
// wrong run.
class Pct final : public Strategy {
 public:
  struct Options {
    long runs = 1000;
    std::uint64_t seed = 1;
    int depth = 3;
  };
  explicit Pct(Options options) : options_(options), random_(options.seed) {}
  bool next_run() override;
  int choose(const Choice& choice) override;
  std::string name() const override;

 private:
  std::uint64_t& priority_of(int thread);

  const Options options_;
  std::mt19937_64 random_;
  long run_ = 0;
  int choices_ = 0;  // In this run.
  int longest_ = 10;  // Choices of the longest run so far.
  std::uint64_t lowest_ = 0;  // The priority that the next change gives.
  std::vector<std::uint64_t> priorities_;
  std::vector<int> changes_;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STRATEGIES_H_
