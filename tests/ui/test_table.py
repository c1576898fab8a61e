"""Tables: text is text, numbers stand on the right, and the picked row says so to a screen reader."""

from cadrecode.ui.draw.table import rows_html


def test_cells_are_text_and_the_picked_row_is_marked():
    made = rows_html("Runs", ["Name", "Loss"], [False, True], [["<b>a", "0.5"], ["b", "–"]], "b")
    assert "&lt;b&gt;a" in made
    assert "<b>a" not in made
    assert 'data-name="b" tabindex="0" aria-selected="true"' in made
    assert made.count('aria-selected="true"') == 1
    assert '<td class="cr-number">0.5</td>' in made
    assert "<caption>Runs</caption>" in made


def test_a_name_cannot_leave_its_attribute():
    assert ' x="1' not in rows_html("t", ["n"], [False], [['" x="1']])


def test_rows_that_cannot_be_picked_take_no_focus():
    made = rows_html("t", ["n"], [False], [["a"]], pickable=False)
    assert made.count('tabindex="0"') == 1  # the table alone, which scrolls
    assert '<tr class="">' in made


def test_a_long_name_is_cut_in_the_middle_and_is_whole_on_hover():
    name = "a" * 40 + "z" * 40
    made = rows_html("t", ["n"], [False], [[name]])
    assert f'title="{name}">aaaaaaaaaaaaaaa…zzzzzzzzzzzzzzzz<' in made
    assert f'data-name="{name}"' in made
