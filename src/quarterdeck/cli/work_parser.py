"""What can be typed about work."""

from __future__ import annotations

import argparse

from quarterdeck.cli import work
from quarterdeck.cli.parsing import Commands, add_command, data_dir, json_option
from quarterdeck.cli.task_options import add_task
from quarterdeck.runtime.config import AgentsSection


def add_work(subparsers: Commands) -> None:
    """Add ``quarterdeck work``."""
    parser = add_command(
        subparsers,
        "work",
        does="how work goes, what tasks are given and give back, what agents take, and bounds",
        example="quarterdeck work report",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    types = actions.add_parser("types", help="the fields of every type's input and result")
    offer = actions.add_parser("offer", help="change what an agent can do and accepts")
    offer.add_argument("agent", help="its name")
    offer.add_argument("--capabilities", metavar="A,B", help="what it can do")
    offer.add_argument("--accepts", metavar="A,B", help="the task types it takes; '' for all")
    offer.add_argument("--markets", metavar="A,B", help="the symbols it works on; '' for all")
    offer.add_argument("--cost", metavar="AMOUNT", help="what it charges for a task")
    offer.add_argument("--autonomy", metavar="WORD", help="shadow, paper, canary or live")
    offer.add_argument("--slots", type=int, metavar="N", help="how many tasks it holds at once")
    offer.add_argument(
        "--long-slots", type=int, metavar="N", help="how many of these long work fills"
    )
    offer.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    shown = actions.add_parser("bounds", help="every bound on work, and what is used of it")
    bound = actions.add_parser("bound", help="bound work; without a number it is lifted")
    bound.add_argument("scope", choices=("type", "owner", "capability"))
    bound.add_argument("subject", help="which type, owner (strategy or submitter) or capability")
    bound.add_argument("--max-running", type=int, metavar="N", help="held at once")
    bound.add_argument("--per-minute", type=int, metavar="N", help="given out a machine minute")
    bound.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    changes = _changes(actions)
    report = actions.add_parser("report", help="how work stands, and how the last tasks went")
    timeline = actions.add_parser("timeline", help="when the last tasks began and ended")
    own = actions.add_parser(
        "run",
        help="the deck's own worker: does tasks that ask for desk:analysis, desk:research ...",
    )
    own.add_argument(
        "--agent", default="desk", metavar="NAME", help="as whom (default %(default)s)"
    )
    own.add_argument(
        "--slots",
        type=int,
        default=AgentsSection().own_worker_slots,
        metavar="N",
        help="how many at a time (default %(default)s); long ones fill a quarter of them, at least one",
    )
    own.add_argument("--tasks", type=int, metavar="N", help="end after so many (default: never)")
    own.add_argument(
        "--tied", action="store_true", help="end with standard input; the deck starts it so"
    )
    data_dir(own)
    own.set_defaults(command=work.run)
    for action in (types, offer, shown, bound, *changes, report, timeline):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=work.run)


def _changes(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> list[argparse.ArgumentParser]:
    """Add what lists tasks and changes one of them, or an agent; return all of it."""
    submit = actions.add_parser("submit", help="put a task into the queue")
    add_task(submit)
    submit.add_argument(
        "--after",
        action="append",
        metavar="TASK",
        help="a task that must complete first; again for more",
    )
    submit.add_argument("--key", metavar="TEXT", help="idempotency key: the same, the same task")
    show = actions.add_parser("show", help="one task: where it stands, how far, what came of it")
    show.add_argument("task", help="its id")
    listed = actions.add_parser("list", help="the last tasks, for instance those that are dead")
    listed.add_argument(
        "--state", metavar="WORD", help="only these: ready, leased, dead, failed ..."
    )
    listed.add_argument("--limit", type=int, default=40, metavar="N", help="how many (default 40)")
    redrive = actions.add_parser("redrive", help="put a dead or failed task into the queue anew")
    cancel = actions.add_parser("cancel", help="cancel a task that is not final")
    dismiss = actions.add_parser("dismiss", help="take a dead or failed task off the list")
    for action in (redrive, dismiss, cancel):
        action.add_argument("task", help="its id")
        action.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    made = [submit, show, listed, redrive, dismiss, cancel]
    for name, does in (
        ("pause", "give an agent no further work"),
        ("drain", "let an agent finish what it holds and give it nothing new"),
        ("resume", "give an agent work again that was paused, drained or quarantined"),
    ):
        mood = actions.add_parser(name, help=does)
        mood.add_argument("agent", help="its name")
        mood.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
        made.append(mood)
    return made
