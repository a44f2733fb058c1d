"""The facts of the machine that gdb is set to."""

import gdb

from . import facts as facts_module
from . import machine
from .paging import Format


class Context:
    """The facts for all commands, loaded at their first use on a machine."""

    def __init__(self):
        self._arch = self._facts = self._form = None

    @property
    def facts(self):
        """The Facts of the machine that gdb is set to."""
        self._load()
        return self._facts

    @property
    def form(self):
        """Its page-table format."""
        self._load()
        return self._form

    def _load(self):
        arch = machine.arch().name
        if arch == self._arch:
            return
        try:
            self._facts = facts_module.load(facts_module.path_of(arch))
        except facts_module.Missing as error:
            raise gdb.GdbError(str(error)) from None
        self._form, self._arch = Format(self._facts), arch


CONTEXT = Context()
