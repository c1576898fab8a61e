"""Lists on the command line: what is cut off is counted."""

from cadrecode.cli.shared import say_skipped


def test_of_many_that_were_left_out_ten_are_named_and_the_others_counted(capsys):
    say_skipped((f"part {number}", "no points") for number in range(1213))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[9].strip() == "part 9: no points"
    assert lines[10].strip() == "and 1,203 more, in the report"
    say_skipped([("part", "no points")])
    assert capsys.readouterr().out.splitlines() == ["            part: no points"]
