"""The project's own tests drive pytest through its `pytester` plugin, which only a root conftest may load."""

pytest_plugins = ["pytester"]
