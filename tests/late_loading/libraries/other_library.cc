// A shared library that is no learning library.
extern "C" int sotto_something_else() {
  return 0;
}
