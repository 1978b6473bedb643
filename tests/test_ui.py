"""The page's handlers over a service of fakes, and the app around them."""

from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

import ui
from bot.answer import Answer
from bot.errors import RetrainError
from bot.page import Turn
from tests.fake_service import add_adapter, write_transcripts
from tests.test_bot_page import Reader
from tone_tuning.errors import BaseModelError

ASKED = "How many days do I have to return a kettle?"
VISITOR = SimpleNamespace(session_hash="s1")
SHOWN = ("chat", "turns", "question", "sources", "status", "stop", "new", "banner")


@pytest.fixture
def page(filled):
    return ui.Page(filled, "secret")


def shown(values):
    return SimpleNamespace(**dict(zip(SHOWN, values, strict=True)))


def ask(page, question=ASKED, turns=()):
    """Every state of the page while a question is answered."""
    return [shown(values) for values in page.ask(question, list(turns), VISITOR)]


def test_an_answer_grows_and_then_shows_its_sources(page, filled):
    """While it is written the box is closed and Stop is there; then marks, cards and the status line."""
    states = ask(page)
    first, last = states[0], states[-1]

    lengths = [len(state.turns[-1].text) for state in states]
    assert len(states) > 3 and lengths[:-2] == sorted(lengths[:-2])
    assert [m["role"] for m in first.chat] == ["user"] and not first.question.interactive and first.stop.visible
    assert last.question.interactive and not last.stop.visible and last.new.interactive
    assert 'class="cite"' in last.chat[-1]["content"] and "within 45 days" in last.sources
    assert "scripted · tone v0001" in Reader(last.status).text
    assert filled.log.recent()[0]["id"] == last.turns[-1].answer.id


def test_a_question_keeps_the_turns_before_it(page):
    """The bot gets them as history, and the panel keeps their cards."""
    first = ask(page)[-1]
    second = ask(page, "And is it the same for gift cards?", first.turns)[-1]

    assert second.turns[-1].answer.standalone.startswith(ASKED)
    assert "Earlier answers" in second.sources and len(second.chat) == 4


def test_an_example_is_asked_when_it_is_clicked(page):
    """As if it had been typed."""
    states = list(page.ask_example([], SimpleNamespace(value={"text": ASKED}), VISITOR))

    assert isinstance(shown(states[-1]).turns[-1].answer, Answer)


def test_stop_keeps_what_was_said(page, filled, monkeypatch):
    """Only the answer of this visitor ends; it is no history, and the next question is answered whole."""
    with monkeypatch.context() as patch:
        patch.setattr(filled.bot, "stream", lambda *_: (f"word{number} " for number in range(10_000)))
        running = page.ask(ASKED, [], VISITOR)
        next(running)
        page.stop(SimpleNamespace(session_hash="someone else"))
        assert shown(next(running)).turns[-1].text == "word0 "
        assert page.stop(VISITOR).interactive is False
        last = shown([*running][-1])

    assert last.turns[-1].text == "word0 word1 ... (stopped)" and last.turns[-1].answer is None
    assert last.question.interactive and ui.history(last.turns) == []
    assert ask(page, turns=last.turns)[-1].turns[-1].answer


@pytest.mark.parametrize("question", ["", "   ", "x" * 2001])
def test_a_question_that_cannot_be_used_is_a_notice(page, question):
    """In the conversation, and the next one may be asked."""
    last = ask(page, question)[-1]

    assert 'class="notice error"' in last.chat[-1]["content"] and last.question.interactive


@pytest.mark.parametrize("error", [BaseModelError("The model is gone."), ZeroDivisionError("x")])
def test_whatever_fails_the_page_can_be_used_again(page, filled, monkeypatch, error):
    """Our errors by their sentence, others without their words."""

    def fail(*_):
        raise error
        yield

    monkeypatch.setattr(filled.bot, "stream", fail)
    last = ask(page)[-1]

    assert last.turns[-1].fault and last.question.interactive and not last.stop.visible
    assert ("The model is gone." in last.turns[-1].text) == isinstance(error, BaseModelError)
    assert isinstance(error, BaseModelError) or "nobody foresaw" in last.turns[-1].text


def test_a_new_conversation_is_empty(page):
    """Chat, turns, sources, status and the comment box."""
    *values, thought = page.new()
    state = shown(values)

    assert (state.chat, state.turns, state.status, thought.visible) == ([], [], "", False)


@pytest.mark.parametrize(("index", "liked", "thumb"), [(1, True, 1), ([1, 0], False, -1)])
def test_a_thumb_is_kept_at_once_and_a_comment_with_it(page, filled, index, liked, thumb):
    """The row of the answer has both, counted once."""
    last = ask(page)[-1]
    rated, row, thanks = page.rate(last.turns, SimpleNamespace(index=index, liked=liked))
    assert (filled.log.recent()[0]["thumb"], row.visible, "Thank you" in thanks) == (thumb, True, True)

    empty, hidden, _ = page.comment(rated, " Very clear. ")
    assert (empty, hidden.visible) == ("", False)
    assert filled.log.comments(rated[0]) == ["Very clear."] and filled.log.recent()[0]["thumb"] == thumb


def test_what_was_not_answered_cannot_be_rated(page, filled):
    """A stopped answer, a place outside the conversation, a thumb taken back; an empty comment is none."""
    last = ask(page)[-1]
    stopped = [Turn("q", "half")]

    for turns, index, liked in ((stopped, 1, True), (last.turns, 9, True), (last.turns, 1, None)):
        rated, row, _ = page.rate(turns, SimpleNamespace(index=index, liked=liked))
        assert (rated, row.visible) == (("", 0), False)
    page.comment(("", 0), "lost")
    page.comment((last.turns[-1].answer.id, 1), "  ")
    assert filled.log.recent()[0]["thumb"] is None


def test_the_banner_names_what_is_degraded_and_what_is_missing(page, filled):
    """Hidden as long as all is well."""
    assert page.banner().visible is False
    filled.model.faults.append("Answers are <plain>.")
    for item in filled.documents.documents():
        filled.documents.remove(item.document.id)
    banner = page.banner()

    assert banner.visible and Reader(banner.value).text.startswith("Answers are <plain>.There are no documents yet")


def test_versions_are_promoted_and_rolled_back(page, filled):
    """The table, the choice and the next answer follow."""
    add_adapter(filled.adapters, filled.settings.home)
    table, row, choice, _ = page.voices()
    assert row.visible and choice.value == "v0002" and "v0001 is the champion" in table

    said, table, *_ = page.promote("v0002")
    assert "v0002 speaks from the next answer on." in said and "v0002 is the champion" in table
    assert ask(page)[-1].turns[-1].answer.adapter == "v0002"
    assert "v0001 speaks again" in page.rollback()[0] and ask(page)[-1].turns[-1].answer.adapter == "v0001"


def test_a_version_that_cannot_speak_is_refused_in_a_notice(page, filled):
    """Nothing chosen, an unknown one, and no one to go back to."""
    assert "error" in page.promote(None)[0] and "v0099" in page.promote("v0099")[0]
    assert "error" in page.rollback()[0]
    assert filled.adapters.aliases()["champion"] == "v0001"


def test_a_data_set_is_received_counted_and_trained_on(page, filled, cache, tmp_path):
    """It is out of the cache before the run starts, and the run is followed to its candidate."""
    rows = write_transcripts(tmp_path / "rows.jsonl", 5).read_bytes()
    _, kept, said = page.receive(str(cache("rows.jsonl", rows)))
    assert "rows.jsonl: 5 conversations, ready" in said and list((tmp_path / "cache").rglob("*")) == []

    status, plot, clock = page.retrain(kept, 2)
    page.run.wait(5)
    assert filled.retraining.asked == [(filled.settings.home / "training" / "rows.jsonl", 2)]
    status, plot, clock = page.training()
    assert "v0002 is ready as candidate" in status and plot.visible and len(plot.value["data"]) == 20
    assert clock.active is False


def test_a_faulty_data_set_is_refused_and_not_trained_on(page, filled, cache, tmp_path):
    """All faults in one notice; pressing Retrain then asks for a file."""
    _, kept, said = page.receive(cache("rows.jsonl", '{"messages": []}\nno json\n'))

    assert kept == "" and "error" in said and "2 faulty rows" in said and list((tmp_path / "cache").rglob("*")) == []
    assert "Choose a JSONL file" in page.retrain(kept, 2)[0] and filled.retraining.asked == []


def test_a_run_that_fails_and_a_second_run_are_notices(page, filled, tmp_path):
    """The sentence of the failure stays until the next run."""
    filled.retraining.fault = RetrainError("The data has faults.")
    page.retrain("rows.jsonl", 1)
    page.run.wait(5)
    assert "The data has faults." in page.training()[0] and "error" in page.training()[0]

    class Busy:
        begun, alive, losses, failed, status = True, True, [], False, "Step 1 of 9"

        def start(self, events):
            raise RetrainError("A retraining run is under way: wait for it or stop it first.")

    page.run = Busy()
    assert "under way" in page.retrain("rows.jsonl", 1)[0]
    assert "Step 1 of 9" in page.stop_training()[0]


def test_a_tick_leaves_the_choice_of_a_version_alone_until_the_run_is_over(page, filled):
    """Else whoever chooses one while a run goes on would see it jump back each second."""
    page.run = SimpleNamespace(
        begun=True, alive=True, losses=[(1, 2.0)], failed=False, status="Step 1", plot=lambda: {"data": [[1, 2.0]]}
    )
    _, plot, clock, *voices = page.tick()
    assert plot.visible and clock.active and voices == [ui.gr.skip()] * 4

    page.run.alive = False
    _, _, clock, table, *_ = page.tick()
    assert clock.active is False and "v0001 is the champion" in table


@pytest.fixture
def client(filled):
    return TestClient(ui.build_app(filled, "secret"), base_url="http://127.0.0.1:7860")


def test_the_page_and_the_routes_are_one_app(client):
    """The page at the root, documents and health beside it."""
    page = client.get("/")

    assert page.status_code == 200 and "Frontdesk" in page.text
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/documents/returns.md").status_code == 200


def test_nobody_else_learns_that_the_page_is_used(client):
    """Gradio's own telemetry is off; what a browser fetches is in test_ui_browser.py."""
    assert client.get("/config").json()["analytics_enabled"] is False


def test_other_sites_cannot_use_the_page(client):
    """Rebound names and foreign origins are refused before anything runs."""
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403
    assert client.post("/gradio_api/queue/join", json={}, headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("place", ["catalog.db", "frontdesk.db", "server.json", "owner.json"])
def test_no_file_of_the_home_folder_can_be_fetched(client, filled, place):
    """The upload cache lies in it; nothing in it is served."""
    (filled.settings.home / "server.json").write_text("secret")

    assert client.get(f"/gradio_api/file={filled.settings.home / place}").status_code in (403, 404)


def test_only_the_verbs_of_the_page_are_offered(client):
    """No handler is listed as an API."""
    assert client.get("/gradio_api/info").json() == {"named_endpoints": {}, "unnamed_endpoints": {}}
    assert client.get("/docs").status_code == 404


def test_the_command_ends_with_1_when_the_page_cannot_start(capsys):
    """One sentence."""
    assert ui.main(["--host", "0.0.0.0"]) == 1
    assert "no sign-in" in capsys.readouterr().err
