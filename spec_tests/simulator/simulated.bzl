"""Builds sources of the project a second time, on the simulator's sync.h.

A copy is the source, line for line, with four things replaced: includes of the project name the copies, includes of
the headers in _STAND_INS name the simulator's, namespaces futures and futures::spec_tests get the inline namespace
`simulated`, and thread_local becomes SIMULATED_THREAD_LOCAL. `replacements` adds to these. So a program may link
both builds, and the names of production do not change. The model is not copied: it has no threads.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")

_HERE = "spec_tests/simulator/"

# Headers of the project that name threads, time, processes or what the kernel knows of them; in the simulator's folder,
# those with the same names for simulated threads.
_STAND_INS = {
    "futures/encoding/encoding.h": "stand_ins/encoding.h",
    "futures/internal/sync.h": "sync.h",
    "spec_tests/laws/shared_number.h": "stand_ins/shared_number.h",
    "spec_tests/laws/threads.h": "stand_ins/threads.h",
}

# What the copies include as copies.
_COPIED = [
    "futures/",
    "optimized/",
    "reference/reference_executor",
    "spec_tests/broken/",
    "spec_tests/candidates/candidate.h",
    "spec_tests/candidates/episode",
    "spec_tests/candidates/thread_candidates.h",
    "spec_tests/laws/",
]
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
    for header, stand_in in _STAND_INS.items():
        substitutions['#include "%s"' % header] = '#include "%s"' % (_HERE + stand_in)
    for folder in _COPIED:
        substitutions['#include "' + folder] = '#include "' + copies + folder
    substitutions |= {
        # Two spaces, so that the next ones do not find it.
        "namespace futures::spec_tests {": "namespace  futures::spec_tests::inline " + ctx.attr.folder + " {",
        "namespace futures::": "namespace futures::inline " + ctx.attr.folder + "::",
        "namespace futures {": "namespace futures::inline " + ctx.attr.folder + " {",
        "CONCURRENT_FUTURES_": "CONCURRENT_FUTURES_" + ctx.attr.folder.upper() + "_",
        "thread_local ": "SIMULATED_THREAD_LOCAL ",
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
      replacements: more text that is replaced in the copies.
      extra_srcs: sources that take the place of some that are not copied.
      copts: for the cc_library.
      instruments: whether the simulator sees plain loads and stores of the copies. Not for code whose threads meet
        through other things than sync::, such as std::atomic or absl::Mutex: it would see races where there are none.
      **kwargs: for the cc_library.
    """
    _copies(name = name + "_hdrs", folder = folder, replacements = replacements, srcs = hdrs)
    _copies(name = name + "_srcs", folder = folder, replacements = replacements, srcs = srcs)
    cc_library(
        name = name,
        srcs = [":" + name + "_srcs"] + extra_srcs,
        hdrs = [":" + name + "_hdrs"],
        copts = copts + (INSTRUMENTED if instruments else []),
        deps = deps + [":sync"],
        **kwargs
    )
