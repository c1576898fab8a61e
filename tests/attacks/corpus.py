"""All routes with their attacks. A new group of routes is added here."""

from tests.attacks import configs, files, programs, sandboxed, web

ROUTES = [*configs.ROUTES, *files.ROUTES, *programs.ROUTES, *sandboxed.ROUTES, *web.ROUTES]
