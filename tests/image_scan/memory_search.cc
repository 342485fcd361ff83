#include "tests/image_scan/memory_search.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <malloc.h>

// glibc's own: what free() below stands in front of.
extern "C" void __libc_free(void* block);  // NOLINT: the name is glibc's

namespace sotto::image_scan {
namespace {

constexpr std::size_t kHalf = 16;
constexpr std::size_t kMaxNeedles = 4096;
constexpr std::size_t kFilterBits = std::size_t{1} << 16;
constexpr std::size_t kDeadStack = 256 * 1024;

enum class Place : std::uint8_t { kFreed, kStack, kMapping };

struct Hit {
  std::size_t needle;
  Place place;
};

/// Fixed storage: free() may not allocate.
struct Tables {
  std::array<Masked, kMaxNeedles> needles;
  std::array<bool, kFilterBits> filter;  // by the first two bytes of a half
  std::size_t count = 0;
  std::array<std::atomic<bool>, kMaxNeedles * 3> hits;
  std::atomic<bool> armed = false;
};

Tables& tables() {
  static Tables all;
  return all;
}

std::vector<std::string>& names() {
  static std::vector<std::string> all;
  return all;
}

bool same(const std::uint8_t* bytes, const std::uint8_t* masked_half) {
  for (std::size_t i = 0; i < kHalf; ++i)
    if ((bytes[i] ^ kPad) != masked_half[i]) return false;
  return true;
}

std::size_t filter_index(std::uint8_t first, std::uint8_t second) {
  return std::size_t{first} << 8 | second;
}

/// No allocation and little stack.
void search(const std::uint8_t* begin, const std::uint8_t* end, Place place) {
  Tables& all = tables();
  for (const std::uint8_t* at = begin; at + kHalf <= end; ++at) {
    if (!all.filter[filter_index(at[0] ^ kPad, at[1] ^ kPad)]) continue;
    for (std::size_t i = 0; i < all.count; ++i)
      if (same(at, all.needles[i].data()) || same(at, all.needles[i].data() + kHalf))
        all.hits[i * 3 + static_cast<std::size_t>(place)] = true;
  }
}

/// Below this frame lies what the calls before it left.
[[gnu::noinline]] void search_dead_stack() {
  const auto* here = static_cast<const std::uint8_t*>(__builtin_frame_address(0));
  search(here - kDeadStack, here, Place::kStack);
}

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool arena = false;  // kept out of dumps, as the secrets' arena alone is
};

std::vector<Mapping> writable_mappings() {
  std::vector<Mapping> out;
  std::ifstream maps("/proc/self/smaps");
  bool writable = false;
  for (std::string line; std::getline(maps, line);) {
    Mapping mapping;
    std::array<char, 5> permissions{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &mapping.begin, &mapping.end,
                    permissions.data()) == 3) {
      writable = permissions[0] == 'r' && permissions[1] == 'w';
      if (writable) out.push_back(mapping);
    } else if (writable && line.starts_with("VmFlags:")) {
      out.back().arena = line.find(" dd") != std::string::npos;
    }
  }
  return out;
}

void search_mappings(bool with_arena) {  // NOLINT: private to this file
  search_dead_stack();
  for (const Mapping& mapping : writable_mappings())
    if (with_arena || !mapping.arena)
      search(reinterpret_cast<const std::uint8_t*>(mapping.begin),
             reinterpret_cast<const std::uint8_t*>(mapping.end), Place::kMapping);
}

}  // namespace

Search::Search(const std::vector<Needle>& needles) {
  Tables& all = tables();
  all.count = std::min(needles.size(), kMaxNeedles);
  all.filter.fill(false);
  names().clear();
  for (auto& hit : all.hits)
    hit = false;
  for (std::size_t i = 0; i < all.count; ++i) {
    all.needles[i] = needles[i].bytes;
    names().push_back(needles[i].name);
    for (std::size_t at : {std::size_t{0}, kHalf})
      all.filter[filter_index(needles[i].bytes[at], needles[i].bytes[at + 1])] = true;
  }
  all.armed = true;
}

Search::~Search() {
  tables().armed = false;
}

void Search::outside_of_the_arena() {
  search_mappings(false);
}

void Search::everywhere() {
  search_mappings(true);
}

std::set<std::string> Search::found() const {
  static constexpr std::array<const char*, 3> kPlaces{"a freed block", "a dead stack frame",
                                                      "writable memory"};
  std::set<std::string> out;
  for (std::size_t i = 0; i < tables().count; ++i)
    for (std::size_t place = 0; place < kPlaces.size(); ++place)
      if (tables().hits[i * 3 + place]) out.insert(names()[i] + " in " + kPlaces.at(place));
  return out;
}

namespace {

void inspect_freed(void* block) {
  const auto* bytes = static_cast<const std::uint8_t*>(block);
  if (tables().armed) search(bytes, bytes + ::malloc_usable_size(block), Place::kFreed);
}

}  // namespace
}  // namespace sotto::image_scan

/// In the place of the C library's, for this program and all libraries in it.
extern "C" void free(void* block) {  // NOLINT
  if (block != nullptr) sotto::image_scan::inspect_freed(block);
  __libc_free(block);
}
