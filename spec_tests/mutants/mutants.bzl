"""Builds sources of the project once more, with mutants among which the environment chooses at run time.

source -> mutated copy -> the replacements that put it where it runs, such as the simulator -> what the compiler takes
of it. All of this is one action. It asks the compiler about the copies, and leaves out what it refuses, until nothing
is refused. So nobody has to keep a list of them. It costs one pass of the compiler's front end over the copies and
two over some, and is repeated only when a source, a mutant or a killer has changed.
"""

load("@bazel_skylib//rules:write_file.bzl", "write_file")
load("@rules_cc//cc:action_names.bzl", "CPP_COMPILE_ACTION_NAME")
load("@rules_cc//cc:defs.bzl", "CcInfo", "cc_binary", "cc_common", "cc_library")
load("@rules_cc//cc:find_cc_toolchain.bzl", "find_cc_toolchain", "use_cc_toolchain")

# As in .bazelrc. Bazel's own compilations get them by --per_file_copt.
_WARNINGS = ["-Wall", "-Wextra", "-Wno-missing-field-initializers"]

# The copies are for the plain configuration: another compiler refuses other mutants, and with a sanitizer killers take
# many times as long.
PLAIN_ONLY = select({
    "//tools:asan": ["@platforms//:incompatible"],
    "//tools:gcc": ["@platforms//:incompatible"],
    "//tools:libfuzzer": ["@platforms//:incompatible"],
    "//tools:tsan": ["@platforms//:incompatible"],
    "//conditions:default": [],
})

# The warnings have been asked for when mutants were left out.
_COPTS = ["-O2", "-w"]

def _command(ctx, toolchain):
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        # Both want module maps, which only Bazel's own compilations have.
        unsupported_features = ctx.disabled_features + ["layering_check", "module_maps"],
    )
    context = cc_common.merge_compilation_contexts(
        compilation_contexts = [dep[CcInfo].compilation_context for dep in ctx.attr.deps],
    )
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + _WARNINGS +
                             ["-fsyntax-only", "-ferror-limit=0", "-fno-color-diagnostics"],
        include_directories = context.includes,
        quote_include_directories = context.quote_includes,
        system_include_directories = depset(transitive = [context.system_includes, context.external_includes]),
        preprocessor_defines = context.defines,
    )
    arguments = cc_common.get_memory_inefficient_command_line(
        feature_configuration = features,
        action_name = CPP_COMPILE_ACTION_NAME,
        variables = variables,
    )
    environment = cc_common.get_environment_variables(
        feature_configuration = features,
        action_name = CPP_COMPILE_ACTION_NAME,
        variables = variables,
    )
    compiler = cc_common.get_tool_for_action(feature_configuration = features, action_name = CPP_COMPILE_ACTION_NAME)
    return [compiler] + arguments, environment, context

def _plan(ctx, others):
    instructions = [["source", f.short_path, f.path] for f in ctx.files.srcs + ctx.files.hdrs]
    instructions += [["other", f.short_path, f.path] for f in others]
    instructions += [["elsewhere", f.short_path] for f in ctx.files.elsewhere]
    instructions += [["written", f.path] for f in ctx.files.written]
    instructions += [["replace_in_sources", a, b] for a, b in ctx.attr.replaced_in_sources.items()]
    instructions += [["replace_in_others", a, b] for a, b in ctx.attr.replaced_in_others.items()]
    return "".join(["\t".join(parts) + "\n" for parts in instructions])

def _mutated_sources_impl(ctx):
    toolchain = find_cc_toolchain(ctx)
    command, environment, context = _command(ctx, toolchain)
    others = ctx.files.other_srcs + ctx.files.other_hdrs + ctx.files.killers
    sources = ctx.files.srcs + ctx.files.other_srcs + ctx.files.killers

    command_file = ctx.actions.declare_file(ctx.label.name + ".command")
    ctx.actions.write(command_file, "".join([argument + "\n" for argument in command]))
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    ctx.actions.write(plan, _plan(ctx, others))

    folder = ctx.attr.folder
    copy = {
        f.short_path: ctx.actions.declare_file(folder + "/" + f.short_path)
        for f in ctx.files.srcs + ctx.files.hdrs + others
    }
    names = ctx.actions.declare_file(folder + "/mutant_names.cc")
    catalogue = ctx.actions.declare_file(folder + "/mutants.txt")
    root = ctx.bin_dir.path
    ctx.actions.run(
        executable = ctx.executable._keep_what_compiles,
        arguments = [
            ctx.executable._mutate.path,
            plan.path,
            command_file.path,
            ctx.label.package + "/" + folder,
            root,
        ] + [f.short_path for f in sources],
        inputs = depset(
            [plan, command_file] + ctx.files.srcs + ctx.files.hdrs + others + ctx.files.written,
            transitive = [context.headers, toolchain.all_files],
        ),
        outputs = copy.values() + [names, catalogue],
        tools = [ctx.executable._mutate],
        env = environment,
        use_default_shell_env = True,
        mnemonic = "Mutate",
        progress_message = "Asking the compiler which mutants of %{label} it takes",
        toolchain = None,
    )

    def copies(files):
        return depset([copy[f.short_path] for f in files])

    return [
        DefaultInfo(files = depset([catalogue])),
        OutputGroupInfo(
            hdrs = copies(ctx.files.hdrs + ctx.files.other_hdrs),
            srcs = copies(ctx.files.srcs + ctx.files.other_srcs),
            names = depset([names]),
            **{"killer " + f.basename: copies([f]) for f in ctx.files.killers}
        ),
    ]

_mutated_sources = rule(
    implementation = _mutated_sources_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "elsewhere": attr.label_list(allow_files = True),
        "folder": attr.string(mandatory = True),
        "hdrs": attr.label_list(allow_files = [".h"]),
        "killers": attr.label_list(allow_files = [".cc"]),
        "other_hdrs": attr.label_list(allow_files = [".h"]),
        "other_srcs": attr.label_list(allow_files = [".cc"]),
        "replaced_in_others": attr.string_dict(),
        "replaced_in_sources": attr.string_dict(),
        "srcs": attr.label_list(allow_files = [".cc"]),
        "written": attr.label_list(allow_files = [".mutants"]),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
        "_keep_what_compiles": attr.label(
            allow_single_file = True,
            cfg = "exec",
            default = ":keep_what_compiles",
            executable = True,
        ),
        "_mutate": attr.label(cfg = "exec", default = ":mutate", executable = True),
    },
    fragments = ["cpp"],
    toolchains = use_cc_toolchain(),
)

def _anchors_impl(ctx):
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    ctx.actions.write(plan, _plan(ctx, []))
    nothing_refused = ctx.actions.declare_file(ctx.label.name + ".refused")
    ctx.actions.write(nothing_refused, "")
    catalogue = ctx.actions.declare_file(ctx.label.name + "/mutants.txt")
    ctx.actions.run(
        executable = ctx.executable._mutate,
        arguments = [plan.path, nothing_refused.path, catalogue.dirname],
        inputs = [plan, nothing_refused] + ctx.files.srcs + ctx.files.hdrs + ctx.files.written,
        outputs = [catalogue],
        mnemonic = "FindAnchors",
        progress_message = "Looking for the places of written mutants of %{label}",
    )
    return [DefaultInfo(files = depset([catalogue]))]

# Fails if a written mutant's place in the sources is gone. Costs a second, where the copies cost minutes.
_anchors = rule(
    implementation = _anchors_impl,
    attrs = {
        "elsewhere": attr.label_list(allow_files = True),
        "hdrs": attr.label_list(allow_files = [".h"]),
        "replaced_in_others": attr.string_dict(),
        "replaced_in_sources": attr.string_dict(),
        "srcs": attr.label_list(allow_files = [".cc"]),
        "written": attr.label_list(allow_files = [".mutants"]),
        # Not for "exec": that would build its libraries a second time.
        "_mutate": attr.label(cfg = "target", default = ":mutate", executable = True),
    },
)

def killer(src, shards = 1, cpu_seconds = 5, deps = [], in_test = True):
    """A test of GoogleTest that is to kill mutants.

    Args:
      src: its source, as a label.
      shards: into how many runs its tests are divided.
      cpu_seconds: how long each run may compute. A mutant that takes longer counts as killed, so the source itself must
        need less than half of it.
      deps: what the test needs apart from the copies and GoogleTest.
      in_test: False for one that is too long for mutants_test: only the report asks it.

    Returns:
      What mutated_copies wants.
    """
    return struct(src = src, shards = shards, cpu_seconds = cpu_seconds, deps = deps, in_test = in_test)

def mutated_copies(
        name,
        srcs,
        hdrs,
        killers,
        deps,
        written = [],
        elsewhere = [],
        other_srcs = [],
        other_hdrs = [],
        replaced_in_sources = {},
        replaced_in_others = {},
        copts = []):
    """Mutated copies of sources, in the folder `name`, and the programs that are to kill the mutants.

    `bazel build //...` builds none of them, as they take minutes: only NAME_anchors, which fails if a written mutant is
    not about the sources any more.

    Args:
      name: of the library of the copies, and of its folder. NAME_killers has the programs, and what the report reads.
      srcs: sources of the project that get mutants, as labels.
      hdrs: headers that get mutants.
      killers: by name what `killer` returns. The report asks them in this order, so cheap ones come first.
      deps: what the copies need apart from each other.
      written: files of written mutants.
      elsewhere: sources that written mutants may change, though these copies do not have them.
      other_srcs: sources that are copied as they are, because they use the copies.
      other_hdrs: headers of this kind.
      replaced_in_sources: text that is replaced in the copies of `srcs` and `hdrs`, in this order.
      replaced_in_others: the same for the others, and for killers.
      copts: for the copies and the killers.
    """
    _anchors(
        name = name + "_anchors",
        srcs = srcs,
        hdrs = hdrs,
        elsewhere = elsewhere,
        written = written,
    )
    test_deps = ["@googletest//:gtest", "@googletest//:gtest_main"]
    all_deps = {dep: None for one in killers.values() for dep in one.deps}
    _mutated_sources(
        name = name + "_sources",
        srcs = srcs,
        hdrs = hdrs,
        tags = ["manual"],
        target_compatible_with = PLAIN_ONLY,
        deps = deps + [dep for dep in all_deps if dep not in deps] + test_deps + [":mutant"],
        elsewhere = elsewhere,
        folder = name,
        killers = [one.src for one in killers.values()],
        other_hdrs = other_hdrs,
        other_srcs = other_srcs,
        replaced_in_others = replaced_in_others,
        replaced_in_sources = replaced_in_sources,
        written = written,
    )
    for group in ["hdrs", "srcs", "names"]:
        native.filegroup(
            name = name + "_" + group,
            srcs = [":" + name + "_sources"],
            output_group = group,
            tags = ["manual"],
        )
    cc_library(
        name = name,
        srcs = [":" + name + "_srcs"],
        hdrs = [":" + name + "_hdrs"],
        copts = _COPTS + copts,
        tags = ["manual"],
        target_compatible_with = PLAIN_ONLY,
        deps = deps + [":mutant"],
    )
    lines = []
    for killer_name, one in killers.items():
        program = name + "_" + killer_name
        native.filegroup(
            name = program + "_src",
            srcs = [":" + name + "_sources"],
            output_group = "killer " + one.src.split(":")[-1].split("/")[-1],
            tags = ["manual"],
        )
        cc_binary(
            name = program,
            testonly = True,
            srcs = [":" + program + "_src", ":" + name + "_names"],
            copts = _COPTS + copts,
            tags = ["manual"],
            target_compatible_with = PLAIN_ONLY,
            deps = [":" + name, ":mutant"] + one.deps + test_deps,
        )
        lines.append("\t".join([
            killer_name,
            native.package_name() + "/" + program,
            str(one.shards),
            str(one.cpu_seconds),
            "test" if one.in_test else "report",
        ]))
    write_file(name = name + "_killers_list", out = name + "/killers.txt", content = lines + [""])
    native.filegroup(
        name = name + "_killers",
        testonly = True,
        srcs = [name + "_" + killer_name for killer_name in killers] + [
            name + "/killers.txt",
            name + "_sources",
        ],
        tags = ["manual"],
    )
