"""The base of the `jos` commands: each is a class whose docstring is the text of `help jos NAME`."""

import gdb

from . import kernel, machine


class Jos(gdb.Command):
    """Look at JOS64's memory, whatever is mapped: tables are read from physical memory.

Addresses (VA, PA) may be numbers, names of the map (KERNBASE, UPAGES, ...), symbols (end, entry_pgdir),
registers ($pc), variables (kern_pgdir), and sums of these: KERNBASE+0x1000.

walk and map look at the page directory in use, the one in CR3 or satp. `in DIR` at the end names another:
kern_pgdir, entry_pgdir, env ID (an environment's), or its physical address."""

    def __init__(self):
        super().__init__("jos", gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, prefix=True)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError(f'There is no "jos {argument}"; "help jos" lists what there is.')
        gdb.execute("help jos")


class Command(gdb.Command):
    """A command below jos."""

    usage = ""  # after the name
    needs_machine = True

    def __init__(self):
        name = type(self).__name__.lower()
        super().__init__(f"jos {name}", gdb.COMMAND_DATA)
        self.usage_line = f"Usage: jos {name}" + (f" {self.usage}" if self.usage else "")

    def invoke(self, argument, from_tty):
        if self.needs_machine:
            machine.need()
        try:
            self.run(gdb.string_to_argv(argument))
        except kernel.NotYet as answer:
            print(answer)
        except gdb.error as error:  # gdb's own message about something that it cannot do now.
            raise gdb.GdbError(str(error)) from None

    def run(self, words):
        """Runs the command."""
        raise NotImplementedError

    def wants(self, right):
        """Ends the command with its usage, unless the arguments are right."""
        if not right:
            raise gdb.GdbError(self.usage_line)


def register():
    """Adds them to gdb."""
    Jos()
