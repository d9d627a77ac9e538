// What a libFuzzer binary sets unless ASAN_OPTIONS says otherwise. Where threads live longer than one input, libFuzzer
// believes that each input leaks and searches the whole heap after it: that takes ten times as long as the input. The
// regression tests do look for leaks.
extern "C" const char* __asan_default_options();  // The name that the sanitizer's runtime looks for.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
