"""Builds sources of the project a second time, on the simulator's sync.h.

A copy is the source, line for line, with four things replaced: includes of the project name the copies, includes of
futures/internal/sync.h name the simulator's, namespace futures gets the inline namespace `simulated`, and thread_local
becomes SIMULATED_THREAD_LOCAL. So a program may link both builds, and the names of production do not change.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")
load(":sources.bzl", "simulated_substitutions")

_HERE = "spec_tests/simulator/"

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

def simulated_library(name, srcs, hdrs, deps, folder = "simulated", replacements = {}, extra_srcs = [], **kwargs):
    """The copies of `srcs` and `hdrs` as one library.

    Args:
      name: of the cc_library.
      srcs: sources of the project, as labels.
      hdrs: headers of the project, as labels.
      deps: what the sources need apart from each other and sync.h.
      folder: where the copies are, below spec_tests/simulator, and the name of their inline namespace.
      replacements: text that is replaced in the copies, for mutants.
      extra_srcs: sources that take the place of some that are not copied.
      **kwargs: for the cc_library.
    """
    _copies(name = name + "_hdrs", folder = folder, replacements = replacements, srcs = hdrs)
    _copies(name = name + "_srcs", folder = folder, replacements = replacements, srcs = srcs)
    cc_library(
        name = name,
        srcs = [":" + name + "_srcs"] + extra_srcs,
        hdrs = [":" + name + "_hdrs"],
        deps = deps + [":sync"],
        **kwargs
    )
