"""Text files as constants of C++ programs, which then need no file when they run."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def embedded_text(name, src, namespace, constant, **kwargs):
    """A library with one header, NAME.h: the text of `src` as a std::string_view.

    Args:
      name: The library.
      src: A label of one file. Its text must not hold )embedded".
      namespace: Of the constant.
      constant: The constant's name.
      **kwargs: Passed on to the library.
    """
    header = name + ".h"
    native.genrule(
        name = name + "_header",
        srcs = [src],
        outs = [header],
        cmd = "\n".join([
            "{",
            "echo '#pragma once'",
            "echo '#include <string_view>'",
            "echo 'namespace %s {'" % namespace,
            "printf 'inline constexpr std::string_view %s = R\"embedded('" % constant,
            "cat $<",
            "echo ')embedded\";'",
            "echo '}  // namespace %s'" % namespace,
            "} > $@",
        ]),
        visibility = ["//visibility:private"],
    )
    cc_library(
        name = name,
        hdrs = [header],
        **kwargs
    )
