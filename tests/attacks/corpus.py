"""All routes with their attacks. A new group of routes is added here."""

from tests.attacks import configs, files, programs, sandboxed

ROUTES = [*programs.ROUTES, *configs.ROUTES, *files.ROUTES, *sandboxed.ROUTES]
