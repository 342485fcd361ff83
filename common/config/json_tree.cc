#include "common/config/json_tree.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include "common/base/check.h"

namespace sotto::config {

namespace {

using Library = nlohmann::json;

std::string line_and_column(std::string_view text, std::size_t position) {
  // `position` includes the character that the library could not parse, so the text before it ends
  // one earlier.
  const std::string_view before =
      text.substr(0, std::min(text.size(), position ? position - 1 : 0));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n');
  const std::size_t column =
      line_start == std::string_view::npos ? before.size() + 1 : before.size() - line_start;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// Removes the library's "[json.exception.parse_error.101] parse error at line 1, column 2: ".
std::string without_prefix(std::string_view what) {
  if (const std::size_t end = what.find("] "); end != std::string_view::npos)
    what.remove_prefix(end + 2);
  if (what.starts_with("parse error"))
    if (const std::size_t end = what.find(": "); end != std::string_view::npos)
      what.remove_prefix(end + 2);
  return std::string(what);
}

/// TreeBuilder builds the tree from the library's events, so that it detects a repeated key. The
/// library's own tree silently keeps the last one.
class TreeBuilder final : public nlohmann::json_sax<Library> {
 public:
  TreeBuilder(std::string_view text, JsonDocument& document) : text_(text), document_(document) {}

  bool null() override { return place(Json{nullptr}); }

  bool boolean(bool v) override { return place(Json{v}); }

  bool number_integer(std::int64_t v) override { return place(Json{v}); }

  bool number_unsigned(std::uint64_t v) override { return place(Json{v}); }

  bool number_float(double v, const std::string& /*text*/) override { return place(Json{v}); }

  bool string(std::string& v) override { return place(Json{std::move(v)}); }

  bool binary(Library::binary_t& /*v*/) override { return false; }

  bool start_object(std::size_t /*count*/) override { return open(Json{Json::Object{}}); }

  bool start_array(std::size_t /*count*/) override { return open(Json{Json::Array{}}); }

  bool end_object() override { return close(); }

  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    Frame& frame = open_.back();
    frame.key = name;
    frame.repeated = frame.value.find(name) != nullptr;
    if (frame.repeated) document_.errors.push_back({path(), "this key occurs twice"});
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const Library::exception& error) override {
    document_.errors.push_back({line_and_column(text_, position), without_prefix(error.what())});
    return false;
  }

 private:
  struct Frame {
    Json value;
    std::string key;        // of an object: the key of the next member
    bool repeated = false;  // the object already has a member with this key
  };

  [[nodiscard]] std::string path() const {
    std::string out = "$";
    for (const Frame& frame : open_) {
      if (frame.value.object() != nullptr)
        out += "." + frame.key;
      else
        out += "[" + std::to_string(std::get<Json::Array>(frame.value.value).size()) + "]";
    }
    return out;
  }

  bool open(Json container) {
    if (open_.size() == kMaxJsonDepth) {
      document_.errors.push_back(
          {path(), "the nesting is deeper than " + std::to_string(kMaxJsonDepth) + " levels"});
      return false;
    }
    open_.push_back({std::move(container), {}, false});
    return true;
  }

  bool close() {
    Json done = std::move(open_.back().value);
    open_.pop_back();
    return place(std::move(done));
  }

  bool place(Json value) {
    if (open_.empty()) {
      document_.root = std::move(value);
      return true;
    }
    Frame& frame = open_.back();
    if (auto* array = std::get_if<Json::Array>(&frame.value.value))
      array->push_back(std::move(value));
    else if (!frame.repeated)
      frame.value[frame.key] = std::move(value);
    return true;
  }

  std::string_view text_;
  JsonDocument& document_;
  std::vector<Frame> open_;
};

enum class Layout { kCanonical, kPretty };

class Writer {
 public:
  explicit Writer(Layout layout) : layout_(layout) {}

  std::string write(const Json& json) {
    put(json);
    if (layout_ == Layout::kPretty) out_ += '\n';
    return std::move(out_);
  }

 private:
  void put(const Json& json) {
    std::visit([this](const auto& v) { put_value(v); }, json.value);
  }

  void put_value(std::nullptr_t) { out_ += "null"; }

  void put_value(bool v) { out_ += v ? "true" : "false"; }

  void put_value(const std::string& v) {
    out_ += Library(v).dump(-1, ' ', false, Library::error_handler_t::replace);
  }

  template <class Number>
  void put_value(Number v) {
    std::array<char, 32> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), v);
    SOTTO_CHECK(error == std::errc(), "a number may have at most 24 characters");
    out_.append(digits.data(), end);
  }

  void put_value(const Json::Array& array) {
    open('[');
    for (const Json& item : array) {
      separate(&item == array.data());
      put(item);
    }
    close(']', array.empty());
  }

  void put_value(const Json::Object& object) {
    std::vector<const JsonMember*> members;
    for (const JsonMember& member : object)
      members.push_back(&member);
    if (layout_ == Layout::kCanonical)
      std::sort(members.begin(), members.end(),
                [](const auto* a, const auto* b) { return a->key < b->key; });
    open('{');
    for (std::size_t i = 0; i < members.size(); ++i) {
      separate(i == 0);
      put_value(members[i]->key);
      out_ += layout_ == Layout::kPretty ? ": " : ":";
      put(members[i]->value);
    }
    close('}', members.empty());
  }

  void open(char bracket) {
    out_ += bracket;
    ++depth_;
  }

  void separate(bool first) {
    if (!first) out_ += ',';
    new_line();
  }

  void close(char bracket, bool empty) {
    --depth_;
    if (!empty) new_line();
    out_ += bracket;
  }

  void new_line() {
    if (layout_ == Layout::kPretty) out_ += '\n' + std::string(2 * depth_, ' ');
  }

  Layout layout_;
  std::size_t depth_ = 0;
  std::string out_;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  if (const Object* members = object())
    for (const JsonMember& member : *members)
      if (member.key == key) return &member.value;
  return nullptr;
}

Json& Json::operator[](std::string_view key) {
  if (std::holds_alternative<std::nullptr_t>(value)) value = Object{};
  auto* members = std::get_if<Object>(&value);
  SOTTO_CHECK(members != nullptr, "a key was requested of a value that is not an object");
  for (JsonMember& member : *members)
    if (member.key == key) return member.value;
  members->push_back({std::string(key), {}});
  return members->back().value;
}

JsonDocument read_json(std::string_view text) {
  JsonDocument document;
  TreeBuilder builder(text, document);
  const bool whole = Library::sax_parse(text.begin(), text.end(), &builder,
                                        nlohmann::detail::input_format_t::json, true, true);
  if (!whole && document.errors.empty())
    document.errors.push_back({"$", "the file cannot be read"});
  return document;
}

std::string canonical_text(const Json& json) {
  return Writer(Layout::kCanonical).write(json);
}

std::string pretty_text(const Json& json) {
  return Writer(Layout::kPretty).write(json);
}

}  // namespace sotto::config
