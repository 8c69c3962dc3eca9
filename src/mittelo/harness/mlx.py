"""A local model in MLX (`mlx_lm.generate`); facts from mlx-lm 0.32.2."""

import sys
from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from mittelo.core.faults import Category, Fault
from mittelo.core.signs import Said, Sign
from mittelo.harness.base import Command, Harness, Job, Stream

_TOKENS = 1024
_TEMPERATURE = 0.7


class Mlx(Harness):
    """Runs `mlx_lm.generate`, prompt on stdin; told to print nothing but the model's text.

    The program is that of the environment which holds mlx-lm: one on the PATH, else ours. It has
    no tools, and reaches a host only for a model that is not on the machine.
    """

    name = "mlx"
    binary = "mlx_lm.generate"
    needs_end = False
    works = False
    variables = (
        "MLX_*",
        "HF_*",
        "HUGGINGFACE_HUB_CACHE",
        "HUGGING_FACE_HUB_TOKEN",
        "TRANSFORMERS_OFFLINE",
    )
    url_variables = ("HF_ENDPOINT",)
    measured = "0.32.2"
    stand_in = (str(Path(sys.executable).with_name("mlx_lm.generate")),)
    version_words = ()
    faults = (
        Fault(Category.HARNESS_LAUNCH, r"no module named '?mlx"),
        Fault(
            Category.INVALID_MODEL,
            r"repo id must|repositorynotfounderror|localentrynotfounderror"
            r"|model type .{0,60} not supported",
        ),
    )

    @override
    def command(self, job: Job) -> Command:
        argv = [self.binary, "--prompt", "-", "--verbose", "False"]
        argv += ["--max-tokens", str(_TOKENS), "--temp", str(_TEMPERATURE)]
        if job.model:
            argv += ["--model", job.model]
        return Command(argv=argv, stdin=job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is Stream.OUT:
            yield Said(line.decode(errors="replace") + "\n", "answer")
