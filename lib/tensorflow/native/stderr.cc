// Captures standard error while TensorFlow's library loads, since it prints notices that no setting disables. An addon
// with two functions: capture(), and release(), which returns the text. It does not link TensorFlow, since it must be
// loaded first.
#include <node_api.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace {

FILE* file = nullptr;
int saved = -1;

// If no temporary file can be created, nothing is captured and the text is shown.
napi_value Capture(napi_env, napi_callback_info) {
  if (file != nullptr || (file = std::tmpfile()) == nullptr) return nullptr;
  std::fflush(stderr);
  saved = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  return nullptr;
}

napi_value Release(napi_env env, napi_callback_info) {
  std::string text;
  if (file != nullptr) {
    std::fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    std::rewind(file);
    char block[4096];
    for (size_t count; (count = std::fread(block, 1, sizeof block, file)) > 0;) text.append(block, count);
    std::fclose(file);
    file = nullptr;
  }
  napi_value result = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &result);
  return result;
}

napi_value Initialize(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      {"capture", nullptr, Capture, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"release", nullptr, Release, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, 2, properties);
  return exports;
}

}  // namespace

NAPI_MODULE(stderr_capture, Initialize)
