"""All routes with their attacks. A new group of routes is added here."""

from tests.attacks import configs, files, odd_files, programs, sandboxed, web

ROUTES = [*configs.ROUTES, *files.ROUTES, *odd_files.ROUTES, *programs.ROUTES, *sandboxed.ROUTES, *web.ROUTES]
