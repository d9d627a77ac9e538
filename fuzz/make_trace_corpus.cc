// Encodes traces in text as inputs of trace_fuzz: `make_trace_corpus OUT TRACE...` writes OUT/NAME for each NAME.trace.
//
//   ./tools/bazel run //fuzz:make_trace_corpus -- $PWD/fuzz/corpus/trace $PWD/fuzz/seeds/*.trace
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "spec_tests/traces/trace.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: make_trace_corpus OUT TRACE..." << std::endl;
    return 2;
  }
  for (int i = 2; i < argc; ++i) {
    const std::filesystem::path path = argv[i];
    std::ifstream file(path);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const absl::StatusOr<futures::spec_tests::Trace> trace = futures::spec_tests::parse_trace(text);
    if (!file.good() || !trace.ok()) {
      std::cerr << path.string() << ": " << (trace.ok() ? "cannot be read" : trace.status().message()) << std::endl;
      return 2;
    }
    const std::vector<std::uint8_t> bytes = futures::spec_tests::encode_trace(*trace);
    std::ofstream out(std::filesystem::path(argv[1]) / path.stem(), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) {
      std::cerr << path.stem().string() << ": cannot be written" << std::endl;
      return 2;
    }
  }
  return 0;
}
