"""All routes with their attacks. A new group of routes is added here."""

from tests.attacks import batches, configs, files, handed_over, odd_files, programs, sandboxed, web

ROUTES = [
    *batches.ROUTES,
    *configs.ROUTES,
    *files.ROUTES,
    *handed_over.ROUTES,
    *odd_files.ROUTES,
    *programs.ROUTES,
    *sandboxed.ROUTES,
    *web.ROUTES,
]
