"""Every address and every handler of the running app, called as nobody, as a guest and as the owner."""

import re
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from starlette.datastructures import Headers

from cadrecode.ui import sessions
from cadrecode.ui.guard import API, FILE, RULES, Guard, Hosts, Role, rule_for
from cadrecode.ui.words.text import Words
from tests.ui.site import FILE_ADDRESSES, SPELLINGS, Site

NO_RULE_NEEDED = {"apply"}  # gr.render's function, which draws the sliders of a visitor's own part


@pytest.fixture(scope="module", autouse=True)
def own_uploads(tmp_path_factory):
    """Other apps on this machine upload into Gradio's usual folder."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"), logins=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def open_site(tmp_path_factory):
    """Nobody has to log in."""
    made = Site(tmp_path_factory.mktemp("open"), logins=False)
    yield made
    made.close()


def filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", path)


def test_every_address_has_a_rule(site):
    paths = {path for _, path in site.addresses()}
    assert len(paths) > 60
    unruled = sorted(path for path in paths if not rule_for(filled(path))[0])
    assert unruled == [], "addresses of Gradio without a rule in cadrecode/ui/guard.py"
    assert rule_for(f"{API}/something-new") == ("", None)


def test_every_address_answers_those_alone_whom_its_rule_names(site):
    clients = {role: site.client(role) for role in Role}
    for method, path in site.addresses():
        name, least = rule_for(filled(path))
        if name == FILE or "heartbeat" in path or path in ("/logout", f"{API}/queue/data"):
            continue  # files are tested below; the others stay open, or end the session
        for role, client in clients.items():
            with client.stream(method, filled(path)) as answer:  # some answers never end
                status, refused = answer.status_code, answer.headers.get("x-cadrecode")
            if least is None:
                assert (status, refused) == (404, "unknown"), (method, path, role)
            elif role < least:
                assert (status, refused) == (401, "login"), (method, path, role)
            else:
                assert refused is None, (method, path, role)
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_address_that_nobody_knows_is_answered_to_nobody(site):
    owner = site.client(Role.OWNER)
    for path in ("/nothing", f"{API}/nothing", "/config/../vibe-code", f"{API}/run/a/b", "/%2e%2e/config"):
        assert owner.get(path).status_code == 404, path


def test_every_handler_has_a_rule_and_refuses_guests_by_it(site):
    """Each handler of every page is called over HTTP as a guest, also those that no page shows."""
    guest = site.client(Role.GUEST)
    refused, allowed, refusals = 0, 0, [Words(language)("guest.refused") for language in ("en", "zh")]
    for number, handler in site.blocks.fns.items():
        if handler.fn is None or handler.name in NO_RULE_NEEDED:
            continue
        assert hasattr(handler.fn, "for_guests"), f"{handler.name} is wired without hear(): nobody checks who calls it"
        if handler.fn.for_guests:
            allowed += 1
            continue
        body = {"data": [component.value for component in handler.inputs], "fn_index": number, "session_hash": "s"}
        answer = guest.post(f"{API}/run/predict", json=body)
        assert answer.status_code == 500, handler.name
        assert answer.json()["error"] in refusals, (handler.name, answer.text)
        refused += 1
    assert refused > 30
    assert allowed > 15


@pytest.mark.parametrize("role", [Role.NOBODY, Role.GUEST])
def test_no_address_hands_out_the_owners_files(site, role):
    link = Path(get_upload_folder()) / "link.zip"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(site.downloads / "a-adapter.zip")
    (site.services.runs_dir / "status.json").write_text("weights")
    wanted = [site.downloads / "a-adapter.zip", site.services.runs_dir / "status.json", link, Path(__file__)]
    client = site.client(role)
    try:
        for path in wanted:
            for route in FILE_ADDRESSES:
                for spell in SPELLINGS:
                    address = route.format(api=API, path=spell(str(path)))
                    answer = client.get(address, headers={"Range": "bytes=0-10"})
                    assert answer.status_code in (401, 403, 404), address
                    assert "weights" not in answer.text
    finally:
        link.unlink()


def test_the_owner_gets_downloads_and_everyone_what_was_made_for_pages(site):
    made = Path(get_upload_folder()) / "for a page.txt"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text("picture")
    try:
        for role in (Role.GUEST, Role.OWNER):
            assert site.client(role).get(f"{API}/file={made}").text == "picture"
        assert site.client(Role.NOBODY).get(f"{API}/file={made}").status_code == 401
    finally:
        made.unlink()
    address = f"{API}/file={site.downloads}/a-adapter.zip"
    assert site.client(Role.OWNER).get(address).text == "weights"
    assert site.client(Role.GUEST).get(address).status_code == 403


def test_no_file_is_fetched_from_another_machine(site):
    for address in ("http://example.com/x", "https://example.com/x", "http:/example.com", "ftp://example.com/x"):
        assert site.client(Role.OWNER).get(f"{API}/file={address}").status_code == 403


@pytest.mark.parametrize("key", ["path", "url"])
def test_no_file_is_fetched_for_a_call(site, key):
    """Also not from machines of the network, whose names Gradio would let pass."""
    file = {"path": "scan.xyz", "meta": {"_type": "gradio.FileData"}, key: "http://192.0.2.1/scan.xyz"}
    call = {"data": [file, "mm", 1, 0.7, 0, 0, False, False, "off"]}
    answer = site.client(Role.GUEST).post(f"{API}/run/reconstruct", json=call)
    assert answer.status_code == 500
    assert "not fetched" in answer.text if key == "path" else "error" in answer.json()


def test_a_refused_upload_gets_its_answer(site):
    files = {"files": ("a.xyz", b"1 2 3\n" * 100_000)}
    for _ in range(5):
        assert site.client(Role.NOBODY).post(f"{API}/upload", files=files).status_code == 401


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.5",
    "169.254.169.254", "", "localhost@evil.example", "[::1", "127.0.0.1 x",
])  # fmt: skip
def test_a_foreign_name_for_this_machine_is_refused(open_site, host):
    client = open_site.client(Role.NOBODY)
    for method, path in (("GET", "/"), ("GET", "/config"), ("POST", f"{API}/upload"), ("GET", "/theme.css")):
        assert client.request(method, path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:7860", "127.0.0.1:1", "[::1]:7860", "LOCALHOST."])
def test_the_names_of_this_machine_are_trusted(open_site, host):
    assert open_site.client(Role.NOBODY).get("/config", headers={"Host": host}).status_code == 200


def test_on_a_network_addresses_are_trusted_and_names_are_not():
    hosts = Hosts("0.0.0.0", {"cad.example"})
    assert all(map(hosts.trusts, ("192.168.1.5:7860", "10.0.0.2", "[fe80::1]:80", "localhost", "cad.example:443")))
    assert not any(map(hosts.trusts, ("evil.example", "x.cad.example", "192.168.1.5.evil.example", "")))


def test_a_single_other_site_may_show_the_app_in_a_frame_where_it_is_named():
    frame = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    for framed_by, allowed in (("", False), ("https://huggingface.co", True)):
        hosts = Hosts("0.0.0.0", {"cad.example"}, framed_by)
        guard = Guard(None, hosts, None, list, Path())
        headers = Headers(frame | {"host": "cad.example"})
        assert guard._from_here({"method": "GET"}, headers) == allowed
        assert not guard._from_here({"method": "POST"}, headers)
        told = dict(hosts.headers)
        assert (b"x-frame-options" in told) != allowed
        assert (told.get(b"content-security-policy") == b"frame-ancestors 'self' https://huggingface.co") == allowed


@pytest.mark.parametrize("origin", [
    "https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1:1", "http://127.0.0.1:7860.evil.example",
    "", "file://", "http://[::1",
])  # fmt: skip
def test_a_page_of_another_site_neither_uploads_nor_calls(open_site, origin):
    client = open_site.client(Role.NOBODY)
    files = {"files": ("from another site.xyz", b"1 2 3\n" * 50)}
    assert client.post(f"{API}/upload", files=files, headers={"Origin": origin}).status_code == 403
    assert client.post(f"{API}/run/run_program", json={"data": []}, headers={"Origin": origin}).status_code == 403
    assert client.get("/config", headers={"Origin": origin}).status_code == 403
    assert not list(Path(get_upload_folder()).rglob("from another site.xyz"))


@pytest.mark.parametrize("said", [
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
])  # fmt: skip
def test_what_a_browser_says_of_the_page_counts(open_site, said):
    assert open_site.client(Role.NOBODY).get("/config", headers=said).status_code == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert open_site.client(Role.NOBODY).get("/", headers=link).status_code == 200


def test_the_apps_own_page_uploads(open_site):
    client = open_site.client(Role.NOBODY)
    files = {"files": ("a.xyz", b"1 2 3\n" * 50)}
    answer = client.post(
        f"{API}/upload", files=files, headers={"Origin": open_site.host, "Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 200
    assert client.post(f"{API}/upload", files=files).status_code == 200  # a program


def test_who_is_not_logged_in_sees_a_page_that_looks_like_the_app(site):
    client = site.client(Role.NOBODY)
    for path, language, said in (("/", "en", "Log in"), ("/zh", "zh-CN", "登录")):
        answer = client.get(path, headers={"Accept-Language": "en"})
        assert answer.status_code == 401
        assert f'lang="{language}"' in answer.text
        assert said in answer.text
        assert "cr-head" in answer.text
        assert "/config" not in answer.text
    owner = site.client(Role.OWNER)
    assert "gradio" in owner.get("/").text


def test_logging_out_ends_this_session_and_no_other(site):
    first, other = site.client(Role.GUEST), site.client(Role.GUEST)
    assert first.get("/logout").status_code == 404  # a picture on another page would log people out
    assert first.post("/logout", headers={"Origin": "https://evil.example"}).status_code == 403
    assert first.get("/config").status_code == 200
    cookies = dict(first.cookies)
    assert first.post("/logout").status_code == 303
    assert first.get("/config").status_code == 401
    for name, value in cookies.items():
        first.cookies.set(name, value)
    assert first.get("/config").status_code == 401
    assert other.get("/config").status_code == 200
    assert 'id="log-out"' in str(site.blocks.config)


def test_the_rules_name_no_address_twice():
    assert all(path == path.rstrip("/") or path == "/" for path in RULES)


def test_a_call_leaves_little_behind(site):
    """Each call of the API is a session for Gradio, which would note the settings of all components for it."""
    guest = site.client(Role.GUEST)
    for session in ("first", "second"):
        program = {"data": ["import cadquery as cq\nr=1", "mm"], "session_hash": session}
        assert guest.post(f"{API}/run/run_program", json=program).json()["data"][0]["ok"] is False
    first, second = (site.blocks.state_holder.session_data[session] for session in ("first", "second"))
    assert first.config_values == {}
    assert first.blocks_config.blocks.maps[1] is second.blocks_config.blocks.maps[1]
    assert len(first.blocks_config.blocks) > 500
    assert len(first.blocks_config.blocks.maps[0]) < 10


def test_what_has_been_answered_is_forgotten_and_what_waits_is_not(site, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_MAILBOXES", 3)
    guest, data = site.client(Role.GUEST), {"data": ["import cadquery as cq\nr=1", "mm"]}
    asked = [guest.post(f"{API}/call/run_program", json=data).json()["event_id"] for _ in range(8)]
    for event in (*asked[4:], *asked[:4]):  # those in front wait while others are asked and answered
        assert "event: complete" in guest.get(f"{API}/call/run_program/{event}").text
        guest.get(f"{API}/call/run_program/" + guest.post(f"{API}/call/run_program", json=data).json()["event_id"])
    queue = site.blocks._queue
    assert len(queue.pending_event_ids_session) <= 4
    assert len(queue.pending_messages_per_session) <= 4
