"""A fuzz target: a libFuzzer binary with --config=fuzz, and a test that replays its corpus in every build."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

def fuzz_target(name, corpus, deps, srcs = [], tags = []):
    """Declares `name` and `name`_regression_test.

    Args:
      name: The source is `name`.cc.
      corpus: A folder of inputs, relative to the package.
      deps: Of the source.
      srcs: Other sources.
      tags: Of the test.
    """
    # Compiled once for both. Their engine calls LLVMFuzzerTestOneInput, which nothing here would link otherwise.
    cc_library(
        name = name + "_input",
        testonly = True,
        srcs = [name + ".cc"] + srcs,
        deps = deps,
        alwayslink = True,
    )

    # Without libFuzzer it runs the files that it is given.
    cc_binary(
        name = name,
        testonly = True,
        srcs = select({
            "//tools:libfuzzer": ["sanitizer_options.cc"],
            "//conditions:default": [],
        }),
        linkopts = select({
            "//tools:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = [":" + name + "_input"] + select({
            "//tools:libfuzzer": [],
            "//conditions:default": [":replay"],
        }),
    )

    cc_test(
        name = name + "_regression_test",
        size = "small",
        args = [native.package_name() + "/" + corpus],
        data = native.glob([corpus + "/*"]),
        tags = tags,
        deps = [
            ":replay",
            ":" + name + "_input",
        ],
    )
