#include "futures/encoding/module_address.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "futures/errors.h"
#include "futures/internal/sync.h"

namespace futures::internal {
namespace {

// A range of executable memory of a loaded module.
struct CodeRange {
  std::uintptr_t begin;
  std::uintptr_t end;
  std::uintptr_t base;    // Where the module is loaded.
  std::uint64_t module;   // Its identity.
};

// FNV-1a. It suffices, because an identity only distinguishes the modules of one process.
std::uint64_t fingerprint(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211ull;
  return hash;
}

// The bytes of the build-id note, empty if the module has none.
std::string_view build_id(const dl_phdr_info& info) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr) & header = info.dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(info.dlpi_addr + header.p_vaddr);
    const char* const end = at + header.p_memsz;
    const auto padded = [](std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; };
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof(note));
      const char* const name = at + sizeof(note);
      const char* const description = name + padded(note.n_namesz);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        return {description, note.n_descsz};
      }
      at = description + padded(note.n_descsz);
    }
  }
  return {};
}

std::uint64_t identity(const dl_phdr_info& info) {
  const std::string_view id = build_id(info);
  if (!id.empty()) return fingerprint(id);
  // The program headers hold the size and position of every segment. Two builds hardly ever have the same.
  return fingerprint({reinterpret_cast<const char*>(info.dlpi_phdr), info.dlpi_phnum * sizeof(ElfW(Phdr))});
}

// The modules loaded so far. They are read again when something is not found, because a library may have been loaded
// since.
class Modules {
 public:
  static Modules& instance() {
    static absl::NoDestructor<Modules> modules;
    return *modules;
  }

  template <typename Wanted>
  std::optional<CodeRange> find(Wanted wanted) {
    sync::mutex_lock lock(mutex_);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto range = std::find_if(ranges_.begin(), ranges_.end(), wanted);
      if (range != ranges_.end()) return *range;
      ranges_.clear();
      dl_iterate_phdr(&add_module, &ranges_);
    }
    return std::nullopt;
  }

 private:
  static int add_module(dl_phdr_info* info, std::size_t, void* ranges) {
    const std::uint64_t module = identity(*info);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const ElfW(Phdr) & header = info->dlpi_phdr[i];
      if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
      const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
      static_cast<std::vector<CodeRange>*>(ranges)->push_back({begin, begin + header.p_memsz, info->dlpi_addr, module});
    }
    return 0;
  }

  sync::mutex mutex_;
  std::vector<CodeRange> ranges_ ABSL_GUARDED_BY(mutex_);
};

struct NamedCode {
  const void* code = nullptr;
  ModuleAddress name;
};

// A cache of this thread: the last function asked for in each of its entries. It pays, because calls are of few
// types, and a search of all modules takes as long as the rest of a tiny call's encoding.
NamedCode& last_asked(std::uintptr_t at) {
  thread_local std::array<NamedCode, 16> asked;
  return asked[at / 16 % asked.size()];  // Functions begin at multiples of 16.
}

}  // namespace

ModuleAddress name_of(const void* code) {
  const auto at = reinterpret_cast<std::uintptr_t>(code);
  NamedCode& last = last_asked(at);
  if (last.code != nullptr && last.code == code) return last.name;
  const std::optional<CodeRange> range =
      Modules::instance().find([at](const CodeRange& r) { return r.begin <= at && at < r.end; });
  if (!range) throw SerializationError("the callable is in no loaded module, so no other process can find it");
  last = {.code = code, .name = {range->module, at - range->base}};
  return last.name;
}

const void* address_of(const ModuleAddress& name) {
  NamedCode& last = last_asked(name.offset);
  if (last.code != nullptr && last.name == name) return last.code;
  const std::optional<CodeRange> range = Modules::instance().find([&name](const CodeRange& r) {
    return r.module == name.module && r.begin <= r.base + name.offset && r.base + name.offset < r.end;
  });
  if (!range) throw SerializationError("the worker process has not loaded the module that holds the callable");
  last = {.code = reinterpret_cast<const void*>(range->base + name.offset), .name = name};
  return last.code;
}

}  // namespace futures::internal
