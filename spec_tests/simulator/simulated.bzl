"""Builds sources of the project a second time, on the simulator's sync.h.

A copy is the source, line for line, with four things replaced: includes of the project name the copies, includes of
the headers in STAND_INS (sources.bzl) name the simulator's, namespaces futures and futures::spec_tests get the inline
namespace `simulated`, and thread_local becomes SIMULATED_THREAD_LOCAL. `replacements` adds to these. So a program may
link both builds, and the names of production do not change. The model is not copied: it has no threads.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")
load(":sources.bzl", "simulated_substitutions")

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
    substitutions = ctx.attr.replacements | simulated_substitutions(_HERE + ctx.attr.folder + "/", ctx.attr.folder)
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
        copies_visibility = None,
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
      copies_visibility: of NAME_srcs and NAME_hdrs, which have the copies.
      **kwargs: for the cc_library.
    """
    for group, files in {"hdrs": hdrs, "srcs": srcs}.items():
        _copies(
            name = name + "_" + group,
            srcs = files,
            folder = folder,
            replacements = replacements,
            visibility = copies_visibility,
        )
    cc_library(
        name = name,
        srcs = [":" + name + "_srcs"] + extra_srcs,
        hdrs = [":" + name + "_hdrs"],
        copts = copts + (INSTRUMENTED if instruments else []),
        deps = deps + [":sync"],
        **kwargs
    )
