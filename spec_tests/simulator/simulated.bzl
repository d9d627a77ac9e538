"""Builds sources of the project a second time, on the simulator's sync.h.

A copy is the source, line for line, with five things replaced: includes of the project name the copies, includes of
futures/internal/sync.h name the simulator's, namespace futures gets the inline namespace `simulated`, thread_local
becomes SIMULATED_THREAD_LOCAL, and std::shared_ptr becomes sync::shared_ptr. So a program may link both builds, and the
names of production do not change.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")

_HERE = "spec_tests/simulator/"

# The compiler reports each plain load and store (machine_memory.cc). Clang alone can. Without a level, here `func`, it
# reports nothing. The line tables are for whoever reads a report.
INSTRUMENTED = select({
    "@rules_cc//cc/compiler:clang": [
        "-fsanitize-coverage=func,trace-loads,trace-stores",
        "-gline-tables-only",
    ],
    "//conditions:default": [],
})

def _copies_impl(ctx):
    copies = _HERE + ctx.attr.folder + "/"
    substitutions = dict(ctx.attr.replacements)

    # In this order: what one has written, the next does not find.
    substitutions |= {
        '#include "futures/internal/sync.h"': '#include "' + _HERE + 'sync.h"',
        '#include "futures/': '#include "' + copies + "futures/",
        '#include "optimized/': '#include "' + copies + "optimized/",
        '#include "reference/': '#include "' + copies + "reference/",
        "namespace futures::": "namespace futures::inline " + ctx.attr.folder + "::",
        "namespace futures {": "namespace futures::inline " + ctx.attr.folder + " {",
        "CONCURRENT_FUTURES_": "CONCURRENT_FUTURES_" + ctx.attr.folder.upper() + "_",
        "thread_local ": "SIMULATED_THREAD_LOCAL ",
    }
    if ctx.attr.instruments:
        substitutions |= {
            "#include <memory>": '#include "' + _HERE + 'shared_ptr.h"',
            "std::shared_ptr<": "sync::shared_ptr<",
            "std::make_shared<": "sync::make_shared<",
            "std::enable_shared_from_this<": "sync::enable_shared_from_this<",
        }
    outputs = []
    for source in ctx.files.srcs:
        output = ctx.actions.declare_file(ctx.attr.folder + "/" + source.short_path)
        ctx.actions.expand_template(template = source, output = output, substitutions = substitutions)
        outputs.append(output)
    return [DefaultInfo(files = depset(outputs))]

_copies = rule(
    implementation = _copies_impl,
    attrs = {
        "folder": attr.string(mandatory = True),
        "instruments": attr.bool(mandatory = True),
        "replacements": attr.string_dict(),
        "srcs": attr.label_list(allow_files = [".h", ".cc"]),
    },
)

def simulated_library(
        name,
        srcs,
        hdrs,
        deps,
        folder = "simulated",
        replacements = {},
        extra_srcs = [],
        copts = [],
        instruments = True,
        **kwargs):
    """The copies of `srcs` and `hdrs` as one library.

    Args:
      name: of the cc_library.
      srcs: sources of the project, as labels.
      hdrs: headers of the project, as labels.
      deps: what the sources need apart from each other and sync.h.
      folder: where the copies are, below spec_tests/simulator, and the name of their inline namespace.
      replacements: text that is replaced in the copies, for mutants.
      extra_srcs: sources that take the place of some that are not copied.
      copts: for the cc_library.
      instruments: whether the simulator sees plain loads and stores of the copies. Not for code whose threads meet
        through other things than sync::, such as std::atomic or absl::Mutex: it would see races where there are none.
        std::shared_ptr stays what it is then.
      **kwargs: for the cc_library.
    """
    for suffix, files in [("_hdrs", hdrs), ("_srcs", srcs)]:
        _copies(
            name = name + suffix,
            folder = folder,
            instruments = instruments,
            replacements = replacements,
            srcs = files,
        )
    cc_library(
        name = name,
        srcs = [":" + name + "_srcs"] + extra_srcs,
        hdrs = [":" + name + "_hdrs"],
        copts = copts + (INSTRUMENTED if instruments else []),
        deps = deps + [":sync"],
        **kwargs
    )
