#include "participant/learning/tokenized_examples.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/crypto/sealed_record.h"
#include "common/crypto/secure_random.h"
#include "participant/data/persons.h"

namespace sotto::learning {
namespace {

constexpr std::size_t kUncut = SIZE_MAX;

Status check_labels(const data::ExampleView& e, const tasks::Task& task) {
  const auto check = [](std::int64_t label, std::int64_t limit) -> Status {
    if (label >= 0 && label < limit) return {};
    return Error{"an example has label number " + std::to_string(label) + " of " +
                 std::to_string(limit)};
  };
  SOTTO_TRY(check(e.label, task.label_limit()));
  if (task.form() != tasks::RecordForm::kTaggedWords) return {};
  if (e.words.empty() || e.words.size() != e.tags.size())
    return Error{"a sentence has " + std::to_string(e.words.size()) + " words and " +
                 std::to_string(e.tags.size()) + " tags"};
  const auto tags = static_cast<std::int64_t>(task.classes().size());
  for (const std::int64_t tag : e.tags)
    SOTTO_TRY(check(tag, tags));
  return {};
}

/// The encoding is label || u32 number of ids || ids || (tag || 1 + index of the first piece, or 0)
/// for every word.
Bytes bytes_of(const Sequence& sequence) {
  ByteWriter out;
  out.reserve(12 + 4 * sequence.ids.size() + 16 * sequence.words.size());
  out.u64(static_cast<std::uint64_t>(sequence.label));
  out.u32(static_cast<std::uint32_t>(sequence.ids.size()));
  for (const std::int32_t id : sequence.ids)
    out.u32(static_cast<std::uint32_t>(id));
  for (const TaggedWord& word : sequence.words) {
    out.u64(static_cast<std::uint64_t>(word.tag));
    out.u64(word.at ? *word.at + 1 : 0);
  }
  return out.take();
}

Sequence sequence_of(BytesView bytes) {
  ByteReader in(bytes);
  Sequence out{.ids = {}, .label = static_cast<std::int64_t>(in.u64())};
  out.ids.resize(in.u32());
  for (std::int32_t& id : out.ids)
    id = static_cast<std::int32_t>(in.u32());
  while (in.ok() && in.remaining() > 0) {
    TaggedWord word{.tag = static_cast<std::int64_t>(in.u64())};
    if (const std::uint64_t at = in.u64(); at > 0) word.at = at - 1;
    out.words.push_back(word);
  }
  SOTTO_CHECK(in.finished(), "we sealed a sequence of another form");
  return out;
}

void wipe_ids(Sequence& sequence) {
  crypto::wipe({reinterpret_cast<std::uint8_t*>(sequence.ids.data()),
                sequence.ids.size() * sizeof(std::int32_t)});
}

Bytes place_of(std::uint64_t index) {
  ByteWriter out;
  out.u64(index);
  return out.take();
}

}  // namespace

/// Counts a whole text and cuts it to the longest that the model takes, before the end of its
/// frame.
void TokenizedExamples::cut(std::vector<std::int32_t>& ids) {
  tokens_.add(ids, ids.size());
  if (ids.size() <= max_length_) return;
  const auto end = static_cast<std::ptrdiff_t>(tokenizer_->after().size());
  const auto kept = static_cast<std::ptrdiff_t>(max_length_) - end;
  ids.erase(ids.begin() + kept, ids.end() - end);
}

/// The first piece of a word has its tag, as in Hugging Face's examples.
Sequence TokenizedExamples::tokenize(const data::ExampleView& e) {
  if (e.words.empty()) {
    Sequence out{tokenizer_->encode_framed(e.text, kUncut), e.label};
    cut(out.ids);
    return out;
  }
  text::TokenizedWords words = tokenizer_->encode_words(e.words, kUncut);
  const std::size_t room = max_length_ - tokenizer_->after().size();
  Sequence out{std::move(words.ids), e.label, {}};
  for (std::size_t i = 0; i < e.words.size(); ++i) {
    const auto at = words.first_piece[i];
    out.words.push_back({e.tags[i], at && *at < room ? at : std::nullopt});
  }
  cut(out.ids);
  return out;
}

Result<TokenizedExamples> TokenizedExamples::create(
    std::shared_ptr<const text::Tokenizer> tokenizer, data::Examples examples,
    const config::JobConfig& job, Split split) {
  TokenizedExamples out(std::move(tokenizer), std::move(examples), job.model.max_length);
  const data::ExampleSource& source = out.examples_.source();
  out.left_out_ = source.left_out();
  const auto task = job.make_task();
  data::PersonExamples persons(job.differential_privacy.examples_per_person);
  const bool by_person = split == Split::kTraining && job.protects_persons();
  const auto reader = source.reader(data::Purpose::kCheck);
  for (std::size_t i = 0; i < source.size(); ++i) {
    SOTTO_ASSIGN_OR_RETURN(const data::ExampleView example, reader->read(i));
    if (!example.misfit.empty()) {
      out.left_out_.add(example.misfit);
      continue;
    }
    SOTTO_TRY(check_labels(example, *task));
    if (by_person) persons.add(example);
    out.keep(out.tokenize(example));
  }
  if (by_person)
    out.draw_persons(persons.take());
  else
    out.units_ = DrawUnits(out.size());
  return out;
}

void TokenizedExamples::draw_persons(std::vector<std::vector<std::uint64_t>> persons) {
  units_ = DrawUnits(std::move(persons), size());
  for (std::size_t i = 0; i < size(); ++i) {
    if (units_.weights()[i] > 0) continue;
    if (examples_.source().is_plain())
      kept_[i] = {};
    else
      sealed_[i] = {};
  }
}

void TokenizedExamples::keep(Sequence sequence) {
  lengths_.push_back(sequence.ids.size());
  if (examples_.source().is_plain()) {
    kept_.push_back(std::move(sequence));
    return;
  }
  crypto::OsRandom random;
  if (sealed_.empty()) key_ = crypto::Secret32::random(random);
  Bytes bytes = bytes_of(sequence);
  sealed_.push_back(crypto::seal_record(key_, bytes, place_of(sealed_.size()), random));
  crypto::wipe(bytes);
  wipe_ids(sequence);
}

TokenizedExamples::Loader TokenizedExamples::loader(data::Purpose purpose) const {
  const data::ExampleSource& source = examples_.source();
  return {*this, source.is_plain() ? nullptr : source.reader(purpose)};
}

Result<std::vector<const Sequence*>> TokenizedExamples::Loader::read(
    std::span<const std::uint64_t> indices) {
  forget();
  std::vector<const Sequence*> rows;
  if (reader_ == nullptr) {
    for (const std::uint64_t i : indices)
      rows.push_back(&from_->kept_[i]);
    return rows;
  }
  for (const std::uint64_t i : indices) {
    SOTTO_TRY(reader_->use());
    const Bytes& sealed = from_->sealed_[i];
    Bytes bytes(sealed.size() - crypto::kRecordOverhead);
    SOTTO_CHECK(crypto::open_record(from_->key_, sealed, place_of(i), bytes),
                "what this process sealed was changed in its memory");
    opened_.push_back(sequence_of(bytes));
    crypto::wipe(bytes);
  }
  for (const Sequence& sequence : opened_)
    rows.push_back(&sequence);
  return rows;
}

TokenizedExamples::Loader::~Loader() {
  forget();
}

void TokenizedExamples::Loader::forget() {
  for (Sequence& sequence : opened_)
    wipe_ids(sequence);
  opened_.clear();
}

}  // namespace sotto::learning
