#include "coordinator/dashboard/assets.h"

#include <cstddef>

namespace sotto::embedded {
extern const unsigned char dashboard_html[], dashboard_css[], dashboard_js[], icon_svg[],
    chart_js[];
extern const std::size_t dashboard_html_size, dashboard_css_size, dashboard_js_size, icon_svg_size,
    chart_js_size;
}  // namespace sotto::embedded

namespace sotto::coordinator::dashboard {

namespace {

std::string_view text_of(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

std::optional<Asset> find_asset(std::string_view path) {
  constexpr std::string_view kScript = "text/javascript; charset=utf-8";
  if (path == "/")
    return Asset{"text/html; charset=utf-8",
                 text_of(embedded::dashboard_html, embedded::dashboard_html_size)};
  if (path == "/dashboard.css")
    return Asset{"text/css; charset=utf-8",
                 text_of(embedded::dashboard_css, embedded::dashboard_css_size)};
  if (path == "/dashboard.js")
    return Asset{kScript, text_of(embedded::dashboard_js, embedded::dashboard_js_size)};
  if (path == "/chart.js")
    return Asset{kScript, text_of(embedded::chart_js, embedded::chart_js_size)};
  if (path == "/icon.svg")
    return Asset{"image/svg+xml", text_of(embedded::icon_svg, embedded::icon_svg_size)};
  return std::nullopt;
}

}  // namespace sotto::coordinator::dashboard
