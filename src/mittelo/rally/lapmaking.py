"""Make laps of what an agent says should follow."""

from mittelo.config.laps import session
from mittelo.rally.desk import find_desk
from mittelo.rally.progress import MakeLaps
from mittelo.repo.workspace import Workspace


def lap_maker(workspace: Workspace) -> MakeLaps:
    """Return what makes laps of follow-ups; it makes none where there is no queue."""
    desk = find_desk(workspace.root, session())
    return desk.follow_up if desk else lambda _: []
