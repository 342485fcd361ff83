# sotto_embed(target symbol file): `extern const unsigned char symbol[]; extern const std::size_t symbol_size;` in namespace
# sotto::embedded, holding the file's bytes.
function(sotto_embed target symbol file)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cc)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(................................................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
"#include <cstddef>
namespace sotto::embedded {
extern const unsigned char @symbol@[];
extern const std::size_t @symbol@_size;
const unsigned char @symbol@[] = {@bytes@};
const std::size_t @symbol@_size = sizeof(@symbol@);
}  // namespace sotto::embedded
")
  target_sources(${target} PRIVATE ${out})
endfunction()
