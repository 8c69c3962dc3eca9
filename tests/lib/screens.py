"""How tests wait for a screen that they drive by keys."""

import asyncio

from textual.pilot import Pilot
from textual.widget import Widget


async def settle(pilot: Pilot[None], shown: Widget) -> None:
    """Wait until all that a key leads to has been done: it goes from pump to pump."""
    app = pilot.app
    for _ in range(3):
        await pilot.pause()
        for pump in (app, app.screen, app.focused, shown):
            if pump and not app._exit:
                through = asyncio.Event()
                pump.call_later(through.set)
                await asyncio.wait_for(through.wait(), 30)
