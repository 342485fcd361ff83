// What a run can be taken up from: the checkpoint comes back as it was saved, or not at all.
#include <bit>

#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "common/storage/atomic_file.h"
#include "coordinator/storage/checkpoint.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

const ServerOptimizerSpec kAdam{.type = "fedadam"};

CheckpointStore::Expected expected() {
  CheckpointStore::Expected out{.optimizer = kAdam};
  out.job_hash.fill(4);
  return out;
}

Bytes state_of(const Checkpoint& c) {
  const auto state = c.optimizer.encode_state();
  ByteWriter out;
  for (const BytesView part : {BytesView(state.head), state.moments[0], state.moments[1]})
    out.bytes(part);
  return out.take();
}

Checkpoint sample() {
  Checkpoint c;
  c.run.fill(3);
  c.job_hash.fill(4);
  c.finished_rounds = 20;
  c.model = {.layout = {{"a", {2, 3}}, {"b", {1}}}, .values = {1, 2, 3, 4, 5, 6, -7}};
  c.optimizer = ServerOptimizer(kAdam, c.model.values.size());
  std::vector<float> stepped = c.model.values;
  c.optimizer.step(stepped, 0, c.model.values);  // so that its moments are something
  c.best = {.value = 0.25, .evaluated_round = 11, .known = true};
  c.early_end = EarlyEnd{.trained_rounds = 12, .reason = "loss is low enough"};
  c.wall_s = 12.5;
  return c;
}

void put(const std::filesystem::path& file, BytesView bytes) {
  SOTTO_CHECK(storage::write_file_atomically(file, {bytes}, storage::FileAccess::kOwnerOnly).ok(),
              "written");
}

TEST(RunCheckpoint, ComesBackAsItWasSaved) {
  const TemporaryDirectory folder;
  auto store = CheckpointStore::open(folder.path()).value();
  EXPECT_FALSE(store.load(expected())->has_value());
  const Checkpoint saved = sample();
  ASSERT_TRUE(store.save(saved).ok());
  const Checkpoint loaded = store.load(expected())->value();
  EXPECT_EQ(loaded.run, saved.run);
  EXPECT_EQ(loaded.job_hash, saved.job_hash);
  EXPECT_EQ(loaded.finished_rounds, 20U);
  EXPECT_EQ(loaded.model.layout, saved.model.layout);
  EXPECT_EQ(loaded.model.values, saved.model.values);
  EXPECT_EQ(state_of(loaded), state_of(saved));
  EXPECT_EQ(loaded.best.value, 0.25);
  EXPECT_EQ(loaded.best.evaluated_round, 11U);
  ASSERT_TRUE(loaded.early_end.has_value());
  EXPECT_EQ(loaded.early_end->trained_rounds, 12U);
  EXPECT_EQ(loaded.early_end->reason, "loss is low enough");
  EXPECT_EQ(loaded.wall_s, 12.5);
}

TEST(RunCheckpoint, AnyChangedByteAndAnyCutIsRefusedWithWhatToDo) {
  const TemporaryDirectory folder;
  auto store = CheckpointStore::open(folder.path()).value();
  ASSERT_TRUE(store.save(sample()).ok());
  const auto file = folder / "checkpoint.bin";
  const Bytes good = storage::read_file(file, 1 << 20).value();
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bent = good;
    bent[at] ^= 0x40;
    put(file, bent);
    const auto loaded = store.load(expected());
    ASSERT_FALSE(loaded.ok()) << at;
    EXPECT_NE(loaded.error().message.find("Restore it from a backup"), std::string::npos);
    put(file, BytesView(good).first(at));
    EXPECT_FALSE(store.load(expected()).ok()) << at;
  }
}

TEST(RunCheckpoint, OfAnotherJobOrModelIsRefused) {
  const TemporaryDirectory folder;
  auto store = CheckpointStore::open(folder.path()).value();
  EXPECT_FALSE(holds_run(folder.path()));
  Checkpoint saved = sample();
  ASSERT_TRUE(store.save(saved).ok());
  EXPECT_TRUE(holds_run(folder.path()));
  const auto other_job = store.load({.job_hash = {}, .optimizer = {}});
  ASSERT_FALSE(other_job.ok());
  EXPECT_NE(other_job.error().message.find("a run of another job"), std::string::npos);
  EXPECT_EQ(other_job.error().message.find("backup"), std::string::npos);
  saved.optimizer = ServerOptimizer(kAdam, 3);
  ASSERT_TRUE(store.save(saved).ok());
  EXPECT_NE(store.load(expected()).error().message.find("belongs to another model"),
            std::string::npos);
}

/// As versions before early ends wrote it.
TEST(RunFolder, OfANewRunHoldsNothingThatTheRunWouldReplace) {
  const TemporaryDirectory folder;
  EXPECT_TRUE(check_free_for_run(folder / "new").ok());
  std::filesystem::create_directories(folder / "sites");
  std::filesystem::create_directories(folder / "initial-model");
  EXPECT_TRUE(check_free_for_run(folder.path()).ok()) << "other files may lie beside a run";
  ASSERT_TRUE(storage::write_text(folder / "job.json", "{}").ok());
  std::filesystem::create_directories(folder / "model");
  EXPECT_EQ(check_free_for_run(folder.path()).error().message,
            folder.path().string() +
                " holds no run, but job.json, model, which a run would replace; choose an empty "
                "folder for --out");
  ASSERT_TRUE(storage::write_text(folder / "checkpoint.bin", "x").ok());
  EXPECT_TRUE(check_free_for_run(folder.path()).ok()) << "a run is resumed";
}

TEST(RunCheckpoint, ReadsTheFormatBefore) {
  const TemporaryDirectory folder;
  auto store = CheckpointStore::open(folder.path()).value();
  const Checkpoint saved = sample();
  const Bytes model = encode_parameters(saved.model);
  ByteWriter out;
  out.u32(1);
  out.bytes(saved.run);
  out.bytes(saved.job_hash);
  out.u64(saved.finished_rounds);
  out.u64(std::bit_cast<std::uint64_t>(saved.wall_s));
  out.u64(model.size());
  out.bytes(model);
  out.u64(state_of(saved).size());
  out.bytes(state_of(saved));
  out.bytes(crypto::hash("SOTTO checkpoint", {out.view()}));
  put(folder / "checkpoint.bin", out.view());
  const auto loaded = store.load(expected());
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ((*loaded)->model.values, saved.model.values);
  EXPECT_FALSE((*loaded)->early_end.has_value());
  EXPECT_FALSE((*loaded)->best.known);
}

}  // namespace
}  // namespace sotto::coordinator
