"""`cadrecode doctor`: what this machine can do, and what to do where it cannot."""

from __future__ import annotations

from cadrecode.cli.shared import Arguments, parser_of, run_verb, say
from cadrecode.errors import CadrecodeError


def doctor_main(argv: Arguments = None) -> int:
    """Say whether everything works on this machine, and which layers confine programs."""
    help = "Try out packages, devices, CadQuery and what confines programs; ends with 1 where something is missing."
    parser_of("doctor", help).parse_args(argv)
    return run_verb(_examine)


def _examine() -> None:
    from cadrecode.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        say(f"{'ok' if finding.ok else 'NOT OK':<8}{finding.name:<12}{finding.text}")
        if not finding.ok:
            say(f"{'':20}{finding.cure}")
    wrong = [finding.name for finding in findings if not finding.ok]
    if wrong:
        raise CadrecodeError(
            "{n} of {total} are not well: {names}", n=len(wrong), total=len(findings), names=", ".join(wrong)
        )
