"""A fuzz target: a libFuzzer binary with --config=fuzz, and a test that replays its corpus in every build."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")

def fuzz_target(name, corpus, deps, srcs = [], tags = []):
    """Declares `name` and `name`_regression_test.

    Args:
      name: The source is `name`.cc.
      corpus: A folder of inputs, relative to the package.
      deps: Of the source.
      srcs: Other sources.
      tags: Of the test.
    """
    sources = [name + ".cc"] + srcs

    # Without libFuzzer it runs the files that it is given.
    cc_binary(
        name = name,
        testonly = True,
        srcs = sources + select({
            "//tools:libfuzzer": ["sanitizer_options.cc"],
            "//conditions:default": ["replay_main.cc"],
        }),
        linkopts = select({
            "//tools:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps,
    )

    cc_test(
        name = name + "_regression_test",
        size = "small",
        srcs = sources + ["replay_main.cc"],
        args = [native.package_name() + "/" + corpus],
        data = native.glob([corpus + "/*"]),
        tags = tags,
        deps = deps,
    )
