"""Runs driver.py where neither it nor what it imports is a file.

The build writes a dict FILES before this text: the text of each file, by the name of its module.
"""

import importlib.machinery
import sys


class PackedFiles:
    """Finds and loads the modules. Tracebacks name the files as the repository does."""

    @staticmethod
    def code_of(name):
        return compile(FILES[name], "spec_tests/cpython/%s.py" % name, "exec")

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, cls) if name in FILES else None

    @staticmethod
    def create_module(spec):
        return None  # An ordinary one.

    @classmethod
    def exec_module(cls, module):
        exec(cls.code_of(module.__name__), module.__dict__)


sys.meta_path.insert(0, PackedFiles)
exec(PackedFiles.code_of("driver"))  # As __main__, which this is.
