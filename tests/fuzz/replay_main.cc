// Runs a fuzz target without a fuzzer, in the ordinary tests: every file of the corpus, then a few
// thousand short programs from a fixed seed and as many bent files of the corpus.
//
// Usage: TARGET_replay CORPUS PROGRAMS
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

std::vector<Input> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Input> out;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return out;
}

void run(const Input& input) {
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

/// One to four places changed, doubled or dropped.
Input bent(Input input, std::mt19937& random) {
  const auto below = [&](std::size_t bound) { return random() % std::max<std::size_t>(bound, 1); };
  for (std::size_t left = 1 + below(4); left > 0 && !input.empty(); --left) {
    const auto at = input.begin() + static_cast<std::ptrdiff_t>(below(input.size()));
    switch (below(4)) {
      case 0:
        *at = static_cast<std::uint8_t>(below(16));
        break;
      case 1:
        *at = static_cast<std::uint8_t>(random());
        break;
      case 2:
        input.insert(at, static_cast<std::uint8_t>(below(16)));
        break;
      default:
        input.erase(at);
        break;
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: TARGET_replay CORPUS PROGRAMS\n", stderr);
    return 2;
  }
  const std::vector<Input> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fputs("the corpus is empty\n", stderr);
    return 1;
  }
  for (const Input& input : corpus)
    run(input);
  std::mt19937 random(1);
  const int programs = std::atoi(argv[2]);
  for (int i = 0; i < programs; ++i) {
    Input input(random() % 48);
    for (auto& byte : input)
      byte = static_cast<std::uint8_t>(random() % 2 == 0 ? random() % 24 : random());
    run(input);
    run(bent(corpus[random() % corpus.size()], random));
  }
  std::printf("%zu files of the corpus and %d programs\n", corpus.size(), 2 * programs);
  return 0;
}
