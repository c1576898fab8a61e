"""Attacks by the route on which they arrive: what a stranger may send, and what must come of it.

attack.py holds what an attack, a route and a result are; guard.py watches what must not be touched; run.py tries them
(`make attack`). Each other file is a group of routes with its attacks: payloads are written in code, never large files.
"""
