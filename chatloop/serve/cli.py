"""`python -m chatloop ...`: serve, chat, feedback, models, rollback, learned, tickets, doctor ...

Each command parses, makes one call and sets the exit code: 0 done, 1 a fault (one line), 2 usage.
All but serve work with the server down.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from chatloop.core.errors import ChatloopError
from chatloop.core.feedback import FeedbackType
from chatloop.core.settings import Settings, load_settings
from chatloop.core.types import Mode
from chatloop.serve.doctor import command as doctor

Say = Callable[[str], None]
ACTOR = "cli"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = build_parser().parse_args(arguments)
    if given.command == "doctor":  # it judges the settings, so it reads them by itself
        return doctor.run(given, _say)
    try:
        port, host = getattr(given, "port", None), getattr(given, "host", None)
        settings = load_settings(port=port, host=host)
        given.run(settings, given, _say)
    except ChatloopError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m chatloop", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve API, UI and manual")
    serve.add_argument("--host", help="address to bind to (default: settings)")
    serve.add_argument("--port", type=int, help="port to bind to (default: settings)")
    serve.set_defaults(run=_serve)
    _add_chat(commands.add_parser("chat", help="chat in this terminal"))
    _add_feedback(commands.add_parser("feedback", help="keep a report by a person"))
    models = commands.add_parser("models", help="list the releases, newest first")
    models.set_defaults(run=_models)
    promote = commands.add_parser("promote", help="serve a release by name")
    promote.add_argument("version", help="as `models` lists it")
    promote.set_defaults(run=_promote)
    back = commands.add_parser("rollback", help="serve the release before the current one again")
    back.set_defaults(run=_rollback)
    tickets = commands.add_parser("tickets", help="conversations that a person takes over")
    tickets.add_argument("ticket", nargs="?", metavar="ID", help="show what was said in this one")
    tickets.add_argument("--open", action="store_true", help="list only what nobody has closed")
    tickets.add_argument("--close", metavar="ID", help="close one: it is dealt with")
    tickets.set_defaults(run=_tickets)
    doctor.add_options(commands.add_parser("doctor", help="say what is wrong and what to type"))
    _add_learned(commands.add_parser("learned", help="show what ratings taught, or reset it"))
    return parser


def _add_chat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="address of a running bot (default: one in this process)")
    modes = [mode.value for mode in Mode]
    parser.add_argument("--mode", choices=modes, default=Mode.AUTO.value, help="who may answer")
    parser.add_argument("--user-id", help="kept as a keyed hash only")
    parser.set_defaults(run=_chat)


def _add_feedback(parser: argparse.ArgumentParser) -> None:
    kinds = [kind.value for kind in FeedbackType]
    parser.add_argument("--user-id", required=True, help="kept as a keyed hash only")
    parser.add_argument("--feedback-type", required=True, choices=kinds)
    parser.add_argument("--description", required=True, help="personal data is taken out")
    parser.set_defaults(run=_feedback)


def _add_learned(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=["show", "reset"], default="show")
    parser.add_argument("kind", nargs="?", choices=["hint", "llm"], help="reset only this")
    parser.set_defaults(run=_learned)


def _serve(settings: Settings, _given: argparse.Namespace, say: Say) -> None:
    from chatloop.serve.server import serve

    serve(settings, say)


def _chat(settings: Settings, given: argparse.Namespace, _say: Say) -> None:
    from chatloop.serve.terminal.start import chat

    chat(settings, url=given.url, mode=Mode(given.mode), user_id=given.user_id)


def _feedback(settings: Settings, given: argparse.Namespace, say: Say) -> None:
    from chatloop.loop.feedback.intake import FeedbackIn
    from chatloop.serve.wiring import make_intake

    with make_intake(settings) as intake:
        report = FeedbackIn(
            user_id=given.user_id,
            feedback_type=given.feedback_type,
            description=given.description,
        )
        result = intake.submit(report, trusted=True, source="cli")
    say(f"{result.feedback_id}: {result.message}")


def _models(settings: Settings, _given: argparse.Namespace, say: Say) -> None:
    from chatloop.core.release import REPORT
    from chatloop.loop.register.releases import describe_all

    listed = describe_all(settings.models_dir)
    if not listed["models"]:
        say("there is no release yet: run `python train_model.py`")
    for model in listed["models"]:
        mark = "*" if model["current"] else " "
        if model["state"] == "broken":
            say(f"{mark} {model['version']}  broken: {model['problem']}")
            continue
        low, high = (100 * bound for bound in model["accuracy_interval"])
        say(
            f"{mark} {model['version']}  accuracy {100 * model['accuracy']:.1f} % "
            f"[{low:.1f}, {high:.1f}] on {model['test_rows']} rows, {model['intents']} intents"
        )
        if model["report"]:
            say(f"    report: {settings.models_dir / 'releases' / model['version'] / REPORT}")


def _promote(settings: Settings, given: argparse.Namespace, say: Say) -> None:
    from chatloop.loop.register.releases import promote

    switch = promote(settings.models_dir, given.version, ACTOR)
    say(f"release {switch.version} is current now (before: {switch.previous or 'none'})")


def _rollback(settings: Settings, _given: argparse.Namespace, say: Say) -> None:
    from chatloop.loop.register.releases import rollback

    switch = rollback(settings.models_dir, ACTOR)
    say(f"release {switch.version} is current again (before: {switch.previous})")


def _learned(settings: Settings, given: argparse.Namespace, say: Say) -> None:
    from chatloop.loop.feedback.learned import Kind
    from chatloop.serve.learned_command import reset, show

    if given.what == "reset":
        reset(settings, (Kind(given.kind),) if given.kind else tuple(Kind), say)
    else:
        show(settings, say)


def _tickets(settings: Settings, given: argparse.Namespace, say: Say) -> None:
    from chatloop.serve.tickets.command import run

    run(settings, given, say)
