"""Hold a relay that the user paused, until it is resumed or stopped."""

from mittelo.rally.trying import Ground


def hold(ground: Ground) -> None:
    """Hold, with a word on the screen, in the relay's log, and for `rally status`."""
    ground.log.say(f"relay {ground.relay.id} paused by the user")
    ground.view.pause_began()
    ground.workspace.note_pause(paused=True)
    try:
        ground.orders.hold(ground.view.pause)
    finally:
        ground.workspace.note_pause(paused=False)
        ground.view.pause_ended()
    how = "stopped" if ground.orders.stop else "resumed"
    ground.log.say(f"relay {ground.relay.id} {how} by the user")
