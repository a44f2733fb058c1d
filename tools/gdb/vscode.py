"""The commands that Visual Studio Code's debugger gives to gdb, from .vscode/launch.json, for grade.py.

Of the type "cppdbg" (the extension C/C++; its debugger is microsoft/MIEngine): first setupCommands as they are, then
cwd, the program's file (quoted), and the connection; unless stopAtConnect is set, the machine runs on then. Settings
stand in settings.json.
"""

import json
import re

FOLDER = "${workspaceFolder}"


def configurations(root):
    """The configurations by name."""
    table = json.loads((root / ".vscode/launch.json").read_text())
    return {row["name"]: row for row in table["configurations"]}


def settings(root):
    """The settings by name. Lines that are comments are left out, as the editor does."""
    text = (root / ".vscode/settings.json").read_text()
    return json.loads(re.sub(r"(?m)^\s*//.*$", "", text))


def gdb_script(root, name, server):
    """The commands by which a configuration starts gdb on a server, as lines."""
    row = configurations(root)[name]
    commands = [command["text"] for command in row["setupCommands"]]
    commands += [f"cd {row['cwd']}", f"file \"{row['program']}\"", f"target remote {server}"]
    if not row.get("stopAtConnect"):
        commands.append("continue")
    script = "".join(f"{command}\n" for command in commands).replace(FOLDER, str(root))
    return re.sub(r"\$\{config:([\w.]+)\}", lambda setting: str(settings(root)[setting[1]]), script)
