"""All routes with their attacks. A new group of routes is added here."""

from tests.attacks import programs

ROUTES = [*programs.ROUTES]
