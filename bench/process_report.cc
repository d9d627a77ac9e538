// ProcessPoolExecutor beside CPython's ProcessPoolExecutor and multiprocessing.Pool, all in one run, with 2 workers.
//   ./tools/bazel run -c opt //bench:process_report -- --json=report.json
// What each row means, and the figures that must hold, stand in README.md here.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <ranges>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/bounds.h"
#include "bench/rivals_text.h"
#include "futures/encoding/buffer.h"
#include "futures/wait.h"
#include "optimized/process_pool_executor.h"

namespace {

using bench::Clock;
using bench::median;
using bench::median_of;
using bench::microseconds_since;
using futures::Buffer;
using futures::Future;
using futures::ProcessPoolExecutor;

int identity(int x) { return x; }
std::size_t length_of(const std::string& bytes) { return bytes.size(); }
std::byte last_of(const Buffer& buffer) { return buffer.bytes().back(); }
std::string make_bytes(std::size_t n) { return std::string(n, 'x'); }
void sleep_long() { sleep(30); }

struct Row {
  std::string name;
  std::string unit;
  double ours = 0;
  double must = 0;
  double aim = 0;
};

// The bounds of the machine, by row and in the row's unit.
std::map<std::string, double> measure_bounds() {
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  const double copies_1 = bench::copy_in_and_out(kMiB) / 1000;
  const double copies_64 = bench::copy_in_and_out(64 * kMiB) / 1000;
  return {{"P1 busy", bench::spin_round_trip()},
          {"P1 idle", bench::futex_round_trip()},
          {"P2 submit", bench::ring_item()},
          {"P3 argument 1MiB", copies_1},
          {"P3 result 1MiB", copies_1},
          {"P3 argument 64MiB", copies_64},
          {"P3 result 64MiB", copies_64},
          {"P4 start 2", bench::fork_to_first_byte(2) / 1000},
          {"P4 start 8", bench::fork_to_first_byte(8) / 1000},
          {"P5 kill to error", bench::kill_to_notice() / 1000},
          {"P5 kill to next result", bench::kill_to_replacement() / 1000}};
}

void measure_calls(std::vector<Row>& rows) {
  ProcessPoolExecutor executor({.max_workers = 2});
  for (int i = 0; i < 200; ++i) executor.submit(identity, i).result();
  rows.push_back({"P1 busy", "us", median_of(3000, [&] { executor.submit(identity, 1).result(); }), 3, 1});
  std::vector<double> idle;
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // By then workers and collector sleep.
    const Clock::time_point start = Clock::now();
    executor.submit(identity, 1).result();
    idle.push_back(microseconds_since(start));
  }
  rows.push_back({"P1 idle", "us", median(idle), 90, 55});
  constexpr int kCalls = 50000;
  const auto submit_all = [&] {
    std::vector<Future<int>> all;
    all.reserve(kCalls);
    for (int i = 0; i < kCalls; ++i) all.push_back(executor.submit(identity, i));
    for (const Future<int>& f : all) f.result();
  };
  rows.push_back({"P2 submit", "us", median_of(5, submit_all) / kCalls, 1.5, 0.3});
  constexpr int kItems = 200000;
  const auto map_all = [&] {
    long long sum = 0;
    for (const int x : executor.map(identity, std::views::iota(0, kItems), {.chunksize = 1000})) sum += x;
    if (sum != (kItems - 1LL) * kItems / 2) std::abort();
  };
  rows.push_back({"P2 map", "us", median_of(5, map_all) / kItems, 0.15, 0.05});
}

void measure_payloads(std::vector<Row>& rows) {
  ProcessPoolExecutor executor({.max_workers = 2});
  for (const auto& [name, bytes, times, must, aim] : {std::tuple{"1MiB", std::size_t{1} << 20, 60, 0.2, 0.08},
                                                      std::tuple{"64MiB", std::size_t{64} << 20, 7, 40.0, 15.0}}) {
    const std::string payload = make_bytes(bytes);
    rows.push_back({absl::StrCat("P3 argument ", name), "ms",
                    median_of(times, [&] { executor.submit(length_of, payload).result(); }) / 1000, must, aim});
    const std::size_t wanted = bytes;
    rows.push_back({absl::StrCat("P3 result ", name), "ms",
                    median_of(times, [&] { executor.submit(make_bytes, wanted).result(); }) / 1000, must, aim});
  }
}

// A buffer is handed to a call, which reads its last byte and hands it back.
void measure_buffers(std::vector<Row>& rows) {
  ProcessPoolExecutor executor({.max_workers = 2});
  Buffer buffer = executor.make_buffer(std::size_t{64} << 20);
  std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{1});
  const auto there_and_back = [&] {
    const auto look = [](Buffer b) { return last_of(b) == std::byte{1} ? std::move(b) : Buffer(); };
    buffer = executor.submit(look, std::move(buffer)).take();
  };
  rows.push_back({"P3 buffer 64MiB", "ms", median_of(30, there_and_back) / 1000, 40, 0.1});
  if (buffer.size() != std::size_t{64} << 20) std::abort();
}

void measure_lives(std::vector<Row>& rows) {
  for (const auto& [workers, must, aim] : {std::tuple{2, 3.0, 1.0}, std::tuple{8, 10.0, 3.0}}) {
    std::vector<double> values;
    for (int i = 0; i < 7; ++i) {
      ProcessPoolExecutor executor({.max_workers = workers});
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // The fork server is up.
      const Clock::time_point start = Clock::now();
      std::vector<Future<void>> all;
      for (int w = 0; w < workers; ++w) all.push_back(executor.submit([] { usleep(100); }));
      futures::wait(all);
      values.push_back(microseconds_since(start) / 1000);
    }
    rows.push_back({absl::StrCat("P4 start ", workers), "ms", median(values), must, aim});
  }
  std::vector<double> to_error;
  std::vector<double> to_next;
  for (int i = 0; i < 15; ++i) {
    ProcessPoolExecutor executor({.max_workers = 1});
    const Future<void> running = executor.submit(sleep_long);
    while (!running.running() || executor.worker_pids().empty()) usleep(100);
    const Future<int> next = executor.submit(identity, 1);
    const Clock::time_point start = Clock::now();
    kill(executor.worker_pids().at(0), SIGKILL);
    running.wait();
    to_error.push_back(microseconds_since(start) / 1000);
    next.result();
    to_next.push_back(microseconds_since(start) / 1000);
  }
  rows.push_back({"P5 kill to error", "ms", median(to_error), 2, 0.5});
  rows.push_back({"P5 kill to next result", "ms", median(to_next), 5, 1});
}

// The processor time so far of the threads of a process, in milliseconds. The thread that measures is left out.
double cpu_of(pid_t process) {
  double nanoseconds = 0;
  for (const auto& thread : std::filesystem::directory_iterator(absl::StrCat("/proc/", process, "/task"))) {
    if (thread.path().filename() == absl::StrCat(gettid())) continue;
    double own = 0;
    std::ifstream(thread.path() / "schedstat") >> own;
    nanoseconds += own;
  }
  return nanoseconds / 1e6;
}

// The memory that a process shares with no other, in KiB.
double own_memory_of(pid_t process) {
  double kibibytes = 0;
  std::ifstream smaps(absl::StrCat("/proc/", process, "/smaps_rollup"));
  for (std::string word; smaps >> word;) {
    double value = 0;
    if (word == "Private_Clean:" || word == "Private_Dirty:") smaps >> value;
    kibibytes += value;
  }
  return kibibytes;
}

// A pool at rest: no thread polls, and workers have returned the memory that they no longer need.
void measure_rest(std::vector<Row>& rows) {
  ProcessPoolExecutor executor({.max_workers = 2});
  for (int i = 0; i < 2000; ++i) executor.submit(identity, i).result();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  std::vector<pid_t> processes = executor.worker_pids();
  double memory = 0;
  for (const pid_t worker : processes) memory = std::max(memory, own_memory_of(worker));
  processes.push_back(getpid());
  const auto cpu_of_all = [&processes] {
    double sum = 0;
    for (const pid_t process : processes) sum += cpu_of(process);
    return sum;
  };
  const double before = cpu_of_all();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  rows.push_back({"rest, CPU per second", "ms", (cpu_of_all() - before) / 2, 0.1, 0});
  rows.push_back({"rest, memory per worker", "KiB", memory, 1024, 1024});
}

// Reads lines "rival,row,value" from the Python script. Returns nothing if there is no python3.
std::map<std::string, std::map<std::string, double>> measure_rivals() {
  char path[] = "/tmp/rivals_XXXXXX.py";
  const int file = mkstemps(path, 3);
  if (file < 0) return {};
  const bool written = write(file, bench::kRivalsText.data(), bench::kRivalsText.size()) ==
                       static_cast<ssize_t>(bench::kRivalsText.size());
  close(file);
  std::map<std::string, std::map<std::string, double>> by_row;
  FILE* const python = written ? popen(absl::StrCat("python3 ", path).c_str(), "r") : nullptr;
  if (python != nullptr) {
    char line[256];
    while (std::fgets(line, sizeof(line), python) != nullptr) {
      std::istringstream fields(line);
      std::string rival, row, value;
      if (std::getline(fields, rival, ',') && std::getline(fields, row, ',') && std::getline(fields, value)) {
        by_row[row][rival] = std::atof(value.c_str());
      }
    }
    if (pclose(python) != 0) std::cerr << "python3 is missing or failed: no rivals\n";
  }
  std::remove(path);
  return by_row;
}

void write_json(const std::string& path, const std::vector<Row>& rows, const std::map<std::string, double>& bounds,
                std::map<std::string, std::map<std::string, double>>& rivals) {
  std::ofstream file(path);
  file << "{\"rows\":[";
  const char* separator = "";
  for (const Row& row : rows) {
    file << separator << "{\"row\":\"" << row.name << "\",\"unit\":\"" << row.unit << "\",\"ours\":" << row.ours
         << ",\"must\":" << row.must << ",\"aim\":" << row.aim << ",\"rivals\":{";
    const char* comma = "";
    for (const auto& [rival, value] : rivals[row.name]) {
      file << comma << "\"" << rival << "\":" << value;
      comma = ",";
    }
    const auto bound = bounds.find(row.name);
    file << "},\"bound\":" << (bound == bounds.end() ? "null" : absl::StrCat(bound->second)) << "}";
    separator = ",";
  }
  file << "]}\n";
}

}  // namespace

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  std::string json;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--json=")) {
      std::cerr << "usage: process_report [--json=PATH]\n";
      return 2;
    }
    json = argument.substr(7);
  }
  const std::map<std::string, double> bounds = measure_bounds();  // First: they fork, so there may be one thread.
  std::vector<Row> rows;
  measure_calls(rows);
  measure_payloads(rows);
  measure_buffers(rows);
  measure_lives(rows);
  measure_rest(rows);
  auto rivals = measure_rivals();
  bool all_hold = true;
  std::printf("%-24s %11s %8s %8s %8s  %s\n", "row", "ours", "must", "aim", "bound", "rivals (times ours)");
  for (const Row& row : rows) {
    const auto bound = bounds.find(row.name);
    const std::string of_machine = bound == bounds.end() ? "" : absl::StrFormat("%.3f", bound->second);
    std::printf("%-24s %7.3f %-3s %8.2f %8.2f %8s ", row.name.c_str(), row.ours, row.unit.c_str(), row.must, row.aim,
                of_machine.c_str());
    for (const auto& [rival, value] : rivals[row.name]) std::printf("  %s x%.1f", rival.c_str(), value / row.ours);
    std::printf("%s\n", row.ours > row.must ? "  ABOVE MUST" : "");
    all_hold = all_hold && row.ours <= row.must;
  }
  if (!json.empty()) {
    const char* const caller = std::getenv("BUILD_WORKING_DIRECTORY");
    write_json(json[0] == '/' || caller == nullptr ? json : absl::StrCat(caller, "/", json), rows, bounds, rivals);
  }
  return all_hold ? 0 : 1;
}
