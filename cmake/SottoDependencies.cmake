# Third parties, each behind one target, all SYSTEM so that our warnings do not judge their headers.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)

pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
add_library(sotto_sodium ALIAS PkgConfig::SODIUM)

# KISS FFT is used as a header, for double; the library that Debian builds is for float alone.
find_path(KISSFFT_INCLUDE_DIR kissfft/kissfft.hh REQUIRED)
add_library(sotto_kissfft INTERFACE)
target_include_directories(sotto_kissfft SYSTEM INTERFACE ${KISSFFT_INCLUDE_DIR})

# The fast AES back end is x86-64 only; without it OpenSSL makes the same bytes.
add_library(sotto_ipsec_mb INTERFACE)
find_library(IPSEC_MB_LIBRARY IPSec_MB)
if(IPSEC_MB_LIBRARY)
  target_link_libraries(sotto_ipsec_mb INTERFACE ${IPSEC_MB_LIBRARY})
  set(SOTTO_IPSEC_MB_LINK ${IPSEC_MB_LIBRARY})
  target_compile_definitions(sotto_ipsec_mb INTERFACE SOTTO_HAVE_IPSEC_MB=1)
endif()

find_package(ICU REQUIRED COMPONENTS uc i18n)
add_library(sotto_icu INTERFACE)
target_link_libraries(sotto_icu INTERFACE ICU::i18n ICU::uc)

# Patterns that a site writes itself: an engine without backtracking.
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
add_library(sotto_re2 ALIAS PkgConfig::RE2)

if(SOTTO_NET)
  pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
  add_library(sotto_zmq ALIAS PkgConfig::ZMQ)
  find_package(Boost 1.74 REQUIRED)
  # Compiled once: every source that includes Asio would compile its functions again.
  add_library(sotto_asio STATIC ${PROJECT_SOURCE_DIR}/common/net/asio_impl.cc)
  target_compile_definitions(sotto_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION)
  target_link_libraries(sotto_asio PUBLIC Boost::headers Threads::Threads PRIVATE sotto_flags)
endif()

if(SOTTO_TORCH)
  find_package(SottoTorch 1.13 REQUIRED)
  # A torch compile takes up to 0.9 GB.
  set(SOTTO_TORCH_JOBS 2 CACHE STRING "The number of sources with torch that are compiled at a time")
  set_property(GLOBAL PROPERTY JOB_POOLS torch_pool=${SOTTO_TORCH_JOBS})
endif()
